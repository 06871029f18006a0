#include "master/doors/standing.h"

#include "protocol/strings.h"

#include <algorithm>

namespace stoa::master {

namespace {

constexpr std::string_view kOwn[] = {"/",        "/health",           "/version",         "/flags",
                                     "/metrics", "/metrics/snapshot", "/api/stoa/masters"};
constexpr std::string_view kPageFiles = "/web/";
constexpr std::string_view kPrefix = "/master";

} // namespace

std::optional<http::Response> answerStanding(const Standing& standing, const http::Request& request,
                                             std::string_view path) {
    if (standing.leads || path.starts_with(kPageFiles) ||
        std::find(std::begin(kOwn), std::end(kOwn), path) != std::end(kOwn)) {
        return std::nullopt;
    }
    if (path.starts_with("/redirect/")) return http::textResponse(404, "no such page\n");
    if (standing.leader.empty()) return http::textResponse(503, "no leading master is known\n");
    http::Response response = http::textResponse(307, "");
    std::string_view target = request.target;
    if (path == "/redirect") {
        target = "";
    } else if (target.starts_with(kPrefix) && request.path != path) {
        target.remove_prefix(kPrefix.size());
    }
    // Protocol-relative: a client that came by another scheme stays with it.
    response.headers.emplace_back("Location",
                                  concat("//", standing.leader, path == "/redirect" ? "" : kPrefix, target));
    return response;
}

} // namespace stoa::master
