// Text put together and taken apart with std::string_view. Debian builds Abseil with a string_view of its own, which the
// standard one doesn't convert to, so absl::StrCat and its like can't be handed one; these can.
// Pure functions, usable from any thread.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace stoa {

inline absl::string_view toAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view toStd(absl::string_view text) { return {text.data(), text.size()}; }

namespace strings_detail {

template <class T>
decltype(auto) piece(const T& value) {
    if constexpr (!std::is_same_v<T, absl::string_view> && std::is_convertible_v<const T&, std::string_view>) {
        return toAbsl(value);
    } else {
        return (value);
    }
}

} // namespace strings_detail

// Texts and numbers, one behind the other.
template <class... Pieces>
std::string concat(const Pieces&... pieces) {
    return absl::StrCat(strings_detail::piece(pieces)...);
}

// The error for what a caller got wrong, in his words.
template <class... Pieces>
absl::Status invalid(const Pieces&... pieces) {
    return absl::InvalidArgumentError(concat(pieces...));
}

inline std::string_view trimmed(std::string_view text) { return toStd(absl::StripAsciiWhitespace(toAbsl(text))); }

// Every piece between separators, trimmed, empty ones too: "a; b" gives two.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (;;) {
        const std::size_t at = text.find(separator);
        pieces.push_back(trimmed(text.substr(0, at)));
        if (at == std::string_view::npos) return pieces;
        text.remove_prefix(at + 1);
    }
}

} // namespace stoa
