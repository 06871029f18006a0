// Who asks, at a door that wants to know: Basic authentication, with a principal's name and secret as user and password,
// against the public keys of whom the door admits (credentials.h).
//
//   Gate gate(credentials);
//   router.guard([&gate](const Request& request, std::string_view) { return gate.refuse(request, {Right::kOperator}); });
//   … gate.who(request)->principal …                        // in a handler
//
// Agents fetch from each other what tasks want, from URLs that frameworks say: they prove that they are agents of this
// cluster by a code of the one URL under their common secret, which is of no use to whoever is asked instead.
//
// A Gate belongs to one server's thread: it remembers what it has checked. The functions are pure.
#pragma once

#include "protocol/credentials/credentials.h"
#include "protocol/http/message.h"

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace stoa::http {

class Gate {
public:
    // Null admits everybody.
    explicit Gate(SharedCredentials credentials) : credentials_(std::move(credentials)) {}

    bool open() const { return credentials_ == nullptr; }
    // Null when nobody is known, or whoever it is doesn't prove it.
    const Admitted* who(const Request& request);
    // 401 without a proof; 403 when the principal may be none of `rights`, or when a browser asks for a change on behalf of
    // another site, which it does with the name and password that it keeps.
    std::optional<Response> refuse(const Request& request, std::initializer_list<Right> rights);

    // Whether an agent of this cluster asks, of this server, for this very URL. `self` is "host:port" as others know it.
    bool fromAgent(const Request& request, std::string_view self) const;

private:
    const SharedCredentials credentials_;
    std::map<std::string, std::string, std::less<>> proved_; // the secret by which a principal was recognized last
};

// The value of "Authorization".
std::string basicAuthorization(const Credentials& credentials);
// What agents fetch from each other: uploads, and files of sandboxes. `path` is without the door's prefixes.
bool fetchedByAgents(std::string_view path);
// For a GET of `target` at `host` ("host:port").
std::string agentAuthorization(const Credentials& agent, std::string_view host, std::string_view target);

} // namespace stoa::http
