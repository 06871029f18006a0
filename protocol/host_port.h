// Where a peer is, as addresses and URLs have it and as an HTTP client names it in "Host".
// A pure function, usable from any thread.
#pragma once

#include "protocol/strings.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stoa {

// "host:port", an IPv6 address in brackets.
inline std::string hostAndPort(std::string_view host, std::uint16_t port) {
    return host.find(':') == std::string_view::npos ? concat(host, ":", port) : concat("[", host, "]:", port);
}

} // namespace stoa
