#include "protocol/leader/zookeeper_address.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <cstdint>

namespace stoa {

namespace {

constexpr std::string_view kScheme = "zk://";
constexpr std::string_view kForm = "; write zk://host:port,host:port/path, as in zk://10.0.0.1:2181/stoa";

// What ZooKeeper itself refuses in a path, and what nobody means to write.
std::string_view wrongInPath(std::string_view path) {
    if (path.size() < 2) return "the path is missing";
    if (path.back() == '/') return "the path ends with a slash";
    for (const std::string_view part : split(path.substr(1), '/')) {
        if (part.empty()) return "the path has an empty part";
        if (part == "." || part == "..") return "the path may not climb";
        if (part == "zookeeper") return "\"zookeeper\" is ZooKeeper's own";
    }
    const auto odd = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
    if (std::any_of(path.begin(), path.end(), odd)) return "the path has white space or control characters";
    return {};
}

} // namespace

std::string ZooKeeperAddress::toString() const { return concat(kScheme, hosts, path); }

bool isZooKeeperAddress(std::string_view where) { return where.starts_with(kScheme); }

absl::StatusOr<ZooKeeperAddress> parseZooKeeperAddress(std::string_view text) {
    if (!isZooKeeperAddress(text)) return invalid("\"", text, "\" does not begin with zk://", kForm);
    const std::string_view rest = text.substr(kScheme.size());
    const std::size_t slash = rest.find('/');
    ZooKeeperAddress address;
    if (rest.substr(0, slash).find('@') != std::string_view::npos) {
        return invalid("\"", text, "\": ZooKeeper's user names are not supported", kForm);
    }
    for (const std::string_view server : split(rest.substr(0, slash), ',')) {
        std::string_view host = server;
        std::uint32_t port = 2181;
        // A bracketed IPv6 address has colons of its own.
        const std::size_t bracket = server.starts_with('[') ? server.find(']') : 0;
        const std::size_t colon = bracket == std::string_view::npos ? bracket : server.find(':', bracket);
        if (colon != std::string_view::npos) {
            host = server.substr(0, colon);
            if (!absl::SimpleAtoi(toAbsl(server.substr(colon + 1)), &port) || port == 0 || port > 65535) {
                return invalid("\"", text, "\": \"", server.substr(colon + 1), "\" is not a port", kForm);
            }
        }
        const auto odd = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
        if (host.empty() || bracket == std::string_view::npos || std::any_of(host.begin(), host.end(), odd)) {
            return invalid("\"", text, "\": \"", server, "\" names no host", kForm);
        }
        if (!address.hosts.empty()) address.hosts += ',';
        address.hosts += concat(host, ":", port);
    }
    address.path = slash == std::string_view::npos ? std::string() : std::string(rest.substr(slash));
    if (const std::string_view wrong = wrongInPath(address.path); !wrong.empty()) {
        return invalid("\"", text, "\": ", wrong, kForm);
    }
    return address;
}

} // namespace stoa
