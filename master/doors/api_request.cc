#include "master/doors/api_request.h"

#include "protocol/strings.h"

#include <absl/strings/ascii.h>

namespace stoa::master {

namespace {

constexpr std::string_view kJson = "application/json";

std::string lower(std::string_view text) { return absl::AsciiStrToLower(toAbsl(text)); }

// One range of an Accept header, "application/*;q=0.5", takes JSON.
bool takesJson(std::string_view range) {
    const std::size_t semicolon = range.find(';');
    const std::string type = lower(trimmed(range.substr(0, semicolon)));
    if (type != "*/*" && type != "application/*" && type != kJson) return false;
    if (semicolon == std::string_view::npos) return true;
    std::string parameters = lower(range.substr(semicolon));
    std::erase(parameters, ' ');
    const std::size_t quality = parameters.find(";q=");
    if (quality == std::string::npos) return true;
    return parameters.find_first_of("123456789", quality) != std::string::npos;
}

} // namespace

std::optional<http::Response> refuseContentType(const http::Request& request) {
    const std::string_view type = request.header("Content-Type");
    if (type.empty()) return http::textResponse(400, "Expecting 'Content-Type' to be present\n");
    if (type == kJson) return std::nullopt;
    if (type == "application/x-protobuf") {
        return http::textResponse(415, "application/x-protobuf is not served yet: send application/json\n");
    }
    return http::textResponse(415, concat("\"", type, "\" is no type of body that is served: send ", kJson, "\n"));
}

std::optional<http::Response> refuseAccept(const http::Request& request) {
    const std::string_view accept = request.header("Accept");
    if (accept.empty()) return std::nullopt;
    for (const std::string_view range : split(accept, ',')) {
        if (takesJson(range)) return std::nullopt;
    }
    return http::textResponse(406, concat("the answer is ", kJson, ", which \"", accept, "\" does not allow\n"));
}

std::string record(std::string_view json) { return concat(json.size(), "\n", json); }

http::Response streamHead() {
    http::Response head;
    head.content_type = std::string(kJson);
    head.headers.emplace_back("Cache-Control", "no-store");
    return head;
}

} // namespace stoa::master
