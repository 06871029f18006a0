// Who one is, and whom one admits: what is read from the files that `stoa credentials new` writes. Each principal has one
// secret, a CURVE secret key, which is good for both doors: over ZeroMQ (wire/) it is proved and never sent, over HTTP
// (http/gate.h) it is the password. Who admits others knows their public keys only.
//
//     {"principal": "agent", "secret": "…", "server": "…",
//      "admitted": [{"principal": "operator", "public": "…", "may": ["operator", "framework"]}]}
//
// A client's file has principal, secret and the masters' public key ("server"); a master's has its secret and whom it
// admits; an agent's and the batch framework's, which are clients and have a door, all four. Keys are Z85 text of 40
// letters, as ZeroMQ writes them. Immutable once read; shared by all threads.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {

// What a principal may be to the cluster.
enum class Right : std::uint8_t {
    kAgent = 1,     // register as an agent
    kFramework = 2, // register frameworks, and look at the cluster
    kOperator = 4,  // look at the cluster, and change what is others'
};

struct Admitted {
    std::string principal;
    std::string public_key;
    std::uint8_t rights = 0; // of Right

    bool may(Right right) const { return (rights & static_cast<std::uint8_t>(right)) != 0; }
    friend bool operator==(const Admitted&, const Admitted&) = default;
};

struct Credentials {
    std::string principal; // empty in a master's file
    std::string secret;
    std::string public_key; // of the secret
    std::string server;     // the masters' public key; empty in their own file
    std::vector<Admitted> admitted;

    const Admitted* find(std::string_view principal) const;
    const Admitted* withKey(std::string_view public_key) const;
    bool may(std::string_view principal, Right right) const;
    friend bool operator==(const Credentials&, const Credentials&) = default;
};
using SharedCredentials = std::shared_ptr<const Credentials>;

// What the file is wanted for, and so what it must have.
enum class CredentialsOf : std::uint8_t { kClient, kMaster, kClientWithDoor };

// Refuses a file that others than its owner may read. An error names the file and what to do.
absl::StatusOr<SharedCredentials> readCredentials(const std::string& path, CredentialsOf whose);
// The text of such a file, whatever it is wanted for. Unknown keys are errors: a misspelt one would admit nobody, or all.
absl::StatusOr<Credentials> parseCredentials(std::string_view json);
std::string toJson(const Credentials& credentials);

// Letters, digits and "._-", at most 64: it stands in URLs, logs and JSON.
bool isPrincipal(std::string_view name);
// "agent", "framework" or "operator"; 0 when it is none.
std::uint8_t rightOf(std::string_view name);

} // namespace stoa
