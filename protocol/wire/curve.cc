#include "protocol/wire/curve.h"

#include <glog/logging.h>

#include <zmq.h>

#include <cstdint>

namespace stoa {
namespace {

constexpr std::size_t kTextSize = 40;
constexpr std::size_t kBytes = 32;

} // namespace

KeyPair newKeyPair() {
    char public_key[kTextSize + 1];
    char secret[kTextSize + 1];
    CHECK_EQ(zmq_curve_keypair(public_key, secret), 0) << "ZeroMQ was built without CURVE";
    return {public_key, secret};
}

std::optional<std::string> publicKeyOf(const std::string& secret) {
    char public_key[kTextSize + 1];
    if (!isKey(secret) || zmq_curve_public(public_key, secret.c_str()) != 0) return std::nullopt;
    return public_key;
}

bool isKey(std::string_view text) {
    std::uint8_t bytes[kBytes];
    return text.size() == kTextSize && zmq_z85_decode(bytes, std::string(text).c_str()) != nullptr;
}

std::string keyText(std::string_view bytes) {
    char text[kTextSize + 1];
    CHECK_EQ(bytes.size(), kBytes);
    CHECK(zmq_z85_encode(text, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) != nullptr);
    return text;
}

} // namespace stoa
