// What a master answers over HTTP while another leads: it sends everybody there, but for what is asked of itself (/health,
// /version, /flags, metrics, the page's own files, which find the leader by /api/stoa/masters); and 503 while nobody is known to lead. In the order of checks this comes first, before
// method, headers or body are looked at, so that any client finds its way.
// Plain values and pure functions; owned by the HTTP server's thread.
#pragma once

#include "protocol/http/message.h"

#include <optional>
#include <string>
#include <string_view>

namespace stoa::master {

struct Standing {
    bool leads = true;
    std::string leader; // host:port of the leader's HTTP door; empty: nobody is known to lead
};

// Absent when this master answers by itself. `path` is without the prefix /master.
std::optional<http::Response> answerStanding(const Standing& standing, const http::Request& request,
                                             std::string_view path);

} // namespace stoa::master
