#include "protocol/http/message.h"

#include "protocol/strings.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

namespace stoa::http {
namespace {

int hexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool unescaped(char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
}

} // namespace

std::string_view find(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (absl::EqualsIgnoreCase(key, toAbsl(name))) return value;
    }
    return {};
}

std::optional<std::string_view> Request::parameter(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return std::nullopt;
}

std::optional<std::int64_t> Request::number(std::string_view name) const {
    const std::optional<std::string_view> text = parameter(name);
    std::int64_t value = 0;
    if (!text || !absl::SimpleAtoi(toAbsl(*text), &value)) return std::nullopt;
    return value;
}

Response textResponse(int status, std::string body) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

Response jsonResponse(std::string body) {
    Response response;
    response.content_type = "application/json";
    response.body = std::move(body);
    return response;
}

std::optional<std::string> percentDecode(std::string_view text, bool plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            const int high = i + 1 < text.size() ? hexDigit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hexDigit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (c == '\0') return std::nullopt;
        out += c;
    }
    return out;
}

std::string percentEncodePath(std::string_view text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (unescaped(c)) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return out;
}

std::optional<Target> parseTarget(std::string_view target) {
    if (target.empty() || target.front() != '/') return std::nullopt;
    target = target.substr(0, target.find('#'));
    const std::size_t question = target.find('?');
    std::optional<std::string> path = percentDecode(target.substr(0, question), false);
    if (!path) return std::nullopt;
    Target parsed{*std::move(path), {}};
    while (parsed.path.size() > 1 && parsed.path.back() == '/') parsed.path.pop_back();
    if (question == std::string_view::npos) return parsed;
    std::string_view rest = target.substr(question + 1);
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        auto key = percentDecode(pair.substr(0, equals), true);
        auto value =
            percentDecode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
        if (!key || !value) return std::nullopt;
        parsed.query.emplace_back(*std::move(key), *std::move(value));
    }
    return parsed;
}

} // namespace stoa::http
