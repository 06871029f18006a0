#include "protocol/utf8.h"

#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

#include <algorithm>

namespace stoa {
namespace {

// What an encoder has to swallow and does not ask about.
struct Nowhere {
    using Ch = char;
    void Put(Ch) {} // NOLINT(readability-identifier-naming): RapidJSON's name
};

} // namespace

bool validUtf8(std::string_view text) {
    const bool ascii = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
    if (ascii) return true;
    rapidjson::MemoryStream in(text.data(), text.size());
    Nowhere out;
    while (in.Tell() < text.size()) {
        if (!rapidjson::UTF8<>::Validate(in, out)) return false;
    }
    return in.Tell() == text.size();
}

std::string repairedUtf8(std::string_view text) {
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t length = 1;
        while (length <= 4 && at + length <= text.size() && !validUtf8(text.substr(at, length))) ++length;
        if (length <= 4 && at + length <= text.size()) {
            out += text.substr(at, length);
            at += length;
        } else {
            out += "\xef\xbf\xbd";
            ++at;
        }
    }
    return out;
}

} // namespace stoa
