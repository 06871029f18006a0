// CURVE keys as ZeroMQ makes and writes them: Z85 text, 40 letters. Pure but for the chance in newKeyPair(); usable from
// any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stoa {

struct KeyPair {
    std::string public_key;
    std::string secret;
};

KeyPair newKeyPair();
// Absent when the secret is no key.
std::optional<std::string> publicKeyOf(const std::string& secret);
bool isKey(std::string_view text);
// 32 bytes, as a handshake tells them, to text.
std::string keyText(std::string_view bytes);

} // namespace stoa
