#include "master/page/page.h"

#include "master/page/files.h"
#include "protocol/boot_clock.h"
#include "protocol/credentials/principals.h"
#include "protocol/labels.h"
#include "protocol/strings.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace stoa::master::page {

namespace {

using http::Request;
using http::Responder;
using http::Response;
using http::textResponse;

// FNV-1a (Fowler, Noll, Vo): enough to tell one build's file from another's.
std::string entityTag(std::string_view content) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : content) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return concat("\"", hash, "\"");
}

// "a/b/c" into its elements.
std::vector<std::string_view> elements(std::string_view path) {
    std::vector<std::string_view> found;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        found.push_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return found;
}

// An id within a URL's path: its slashes too are escaped.
std::string escaped(std::string_view element) {
    std::string text = http::percentEncodePath(element);
    for (std::size_t at = 0; (at = text.find('/', at)) != std::string::npos; at += 3) text.replace(at, 1, "%2F");
    return text;
}

std::string queryOf(const Request& request) {
    const std::size_t at = request.target.find('?');
    return at == std::string::npos ? "" : request.target.substr(at);
}

} // namespace

Page::Page(const ReadModel& model, const Identity& identity, const std::vector<std::string>& masters)
    : model_(model), masters_(masters), events_(model, [&identity, &masters](const std::deque<Sample>& history) {
          return helloLine(identity, masters, wallTime(), history);
      }) {}

void Page::addTo(http::Router& router) {
    router.get("/", [this](const Request& request) { return file(request); });
    router.subtree("GET", "/web", [this](const Request& request, Responder reply) { reply.respond(file(request)); });
    router.defer("GET", "/api/stoa/events", [this](const Request&, Responder reply) {
        if (events_.full()) {
            reply.respond(textResponse(503, concat(Events::kMostWatchers, " watch already")));
            return;
        }
        Response head;
        head.content_type = "application/x-ndjson";
        head.headers = {{"Cache-Control", "no-store"}};
        events_.open(reply.stream(std::move(head)));
    });
    router.subtree("GET", "/api/stoa/sandbox",
                   [this](const Request& request, Responder reply) { sandbox(request, std::move(reply)); });
    router.subtree("GET", "/api/stoa/batch",
                   [this](const Request& request, Responder reply) { batch(request, std::move(reply)); });
}

Response Page::file(const Request& request) const {
    const auto files = pageFiles();
    if (files.empty()) {
        return textResponse(200, "This master was built without the page (./configure --without-page).\n\n"
                                 "/state /slaves /tasks /frameworks    the cluster, as JSON\n"
                                 "/metrics /metrics/snapshot           counters\n"
                                 "/health /version /flags\n");
    }
    const auto found =
        std::find_if(files.begin(), files.end(), [&](const PageFile& one) { return one.path == request.path; });
    if (found == files.end()) return textResponse(404, concat("the page has no file ", request.path));
    // Nothing but what this master serves is loaded or asked; the other masters only to see whether they live.
    std::string others;
    for (const std::string& address : masters_) others += concat(" http://", address);
    Response response;
    response.headers = {
        {"Content-Security-Policy",
         concat("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'", others,
                "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-cache"}, // kept, but asked about each time: a new master brings a new page
        {"ETag", entityTag(found->content)},
    };
    response.content_type = std::string(found->type);
    if (request.header("If-None-Match") == entityTag(found->content)) {
        response.status = 304;
    } else {
        response.body = std::string(found->content);
    }
    return response;
}

void Page::sandbox(const Request& request, Responder reply) {
    const std::vector<std::string_view> parts = elements(request.rest);
    if (parts.size() < 4) {
        reply.respond(textResponse(404, "give /api/stoa/sandbox/AGENT/FRAMEWORK/TASK/FILE"));
        return;
    }
    const auto agent = model_.agents().find(AgentId(std::string(parts[0])));
    if (agent == model_.agents().end()) {
        reply.respond(textResponse(404, concat("this master knows no agent ", parts[0])));
        return;
    }
    const Address& address = agent->second.info.address;
    std::string url = concat("http://", address.host, ":", address.port, "/api/stoa/sandbox");
    for (std::size_t i = 1; i < parts.size(); ++i) url += "/" + escaped(parts[i]);
    relay_.pass(url + queryOf(request), std::move(reply), std::string(request.header("Authorization")));
}

void Page::batch(const Request& request, Responder reply) {
    const std::vector<std::string_view> parts = elements(request.rest);
    const FrameworkView* framework =
        parts.size() == 2 && parts[1] == "events" ? model_.find(FrameworkId(std::string(parts[0]))) : nullptr;
    if (framework == nullptr || !framework->info.labels.contains(kBatchLabel)) {
        reply.respond(textResponse(404, "no such batch framework"));
        return;
    }
    const bool told = framework->info.principal == kBatchPrincipal;
    relay_.pass(framework->info.webui_url + "/api/stoa/jobs/events", std::move(reply),
                told ? std::string(request.header("Authorization")) : "");
}

} // namespace stoa::master::page
