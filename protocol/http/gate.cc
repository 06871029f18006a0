#include "protocol/http/gate.h"

#include "protocol/strings.h"
#include "protocol/wire/curve.h"

#include <glog/logging.h>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <sodium.h>

#include <utility>

namespace stoa::http {
namespace {

constexpr std::string_view kBasic = "Basic ";
constexpr std::string_view kAgent = "Stoa-Agent ";
constexpr std::size_t kLongest = 256; // of a header that could be right

// In a time that doesn't tell how much of it was right.
bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

struct NameAndSecret {
    std::string name;
    std::string secret;
};

std::optional<NameAndSecret> basicOf(const Request& request) {
    const std::string_view header = request.header("Authorization");
    if (header.size() > kLongest || !absl::StartsWithIgnoreCase(toAbsl(header), toAbsl(kBasic))) return std::nullopt;
    std::string text;
    if (!absl::Base64Unescape(toAbsl(trimmed(header.substr(kBasic.size()))), &text)) return std::nullopt;
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    return NameAndSecret{text.substr(0, colon), text.substr(colon + 1)};
}

// "http://host:port" to "host:port"; of "null" nothing.
std::string_view hostOf(std::string_view origin) {
    const std::size_t slashes = origin.find("//");
    return slashes == std::string_view::npos ? std::string_view() : origin.substr(slashes + 2);
}

Response unknown(const Request& request) {
    const bool said = !request.header("Authorization").empty();
    Response response = textResponse(
        401, said ? "the principal and secret that were given are nobody's whom this door admits\n"
                  : "this door admits only whom it knows: stoa --credential=FILE (or STOA_CREDENTIAL), or curl "
                    "-u \"$(stoa credentials show FILE)\"\n");
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"stoa\"");
    return response;
}

} // namespace

const Admitted* Gate::who(const Request& request) {
    if (credentials_ == nullptr) return nullptr;
    const std::optional<NameAndSecret> given = basicOf(request);
    if (!given) return nullptr;
    const Admitted* one = credentials_->find(given->name);
    if (one == nullptr) return nullptr;
    const auto proved = proved_.find(given->name);
    if (proved != proved_.end() && same(proved->second, given->secret)) return one;
    // Deriving the key takes tens of microseconds, which is why it is remembered.
    const std::optional<std::string> key = publicKeyOf(given->secret);
    if (!key || !same(*key, one->public_key)) return nullptr;
    proved_[given->name] = given->secret;
    return one;
}

std::optional<Response> Gate::refuse(const Request& request, std::initializer_list<Right> rights) {
    if (credentials_ == nullptr) return std::nullopt;
    const Admitted* one = who(request);
    if (one == nullptr) return unknown(request);
    bool may = false;
    for (const Right right : rights) may = may || one->may(right);
    if (!may) {
        return textResponse(403, concat("\"", one->principal, "\" may not ", request.method, " ", request.path,
                                        ": its credential is of another kind\n"));
    }
    const std::string_view origin = request.header("Origin");
    const bool changes = request.method != "GET" && request.method != "HEAD";
    if (changes && !origin.empty() && hostOf(origin) != request.header("Host")) {
        return textResponse(403, "a page of another site asks for this\n");
    }
    return std::nullopt;
}

bool Gate::fromAgent(const Request& request, std::string_view self) const {
    const std::string_view header = request.header("Authorization");
    if (credentials_ == nullptr || request.method != "GET" || !header.starts_with(kAgent)) return false;
    return request.header("Host") == self && same(header, agentAuthorization(*credentials_, self, request.target));
}

std::string basicAuthorization(const Credentials& credentials) {
    return concat(kBasic, absl::Base64Escape(concat(credentials.principal, ":", credentials.secret)));
}

bool fetchedByAgents(std::string_view path) {
    return path.starts_with("/api/stoa/") || path.starts_with("/files/download");
}

std::string agentAuthorization(const Credentials& agent, std::string_view host, std::string_view target) {
    const std::string text = concat("GET ", host, " ", target);
    unsigned char code[crypto_generichash_BYTES];
    CHECK_EQ(crypto_generichash(code, sizeof code, reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                reinterpret_cast<const unsigned char*>(agent.secret.data()), agent.secret.size()),
             0);
    return concat(kAgent, absl::Base64Escape({reinterpret_cast<const char*>(code), sizeof code}));
}

} // namespace stoa::http
