// The operator's page and what it asks for: its files, the event stream, tasks' output and jobs through the master. Added
// to the routes of the HTTP door, which owns it and tells it of each delta before its read model.
//
//   GET /  /web/…                                    the page (or, without it, a text that says so); a standby's, too
//   GET /api/stoa/events                             json.h
//   GET /api/stoa/sandbox/AGENT/FRAMEWORK/TASK/FILE  as the agent's own door: ?offset= &tail= &follow=1
//   GET /api/stoa/batch/FRAMEWORK/events             jobs, as the batch framework's door tells them
//
// Everything runs on the HTTP server's thread.
#pragma once

#include "master/page/events.h"
#include "master/page/relay.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stoa::master::page {

class Page {
public:
    // What it shows: both outlive it. `masters`: the HTTP addresses of all, to which the page may go when this one dies.
    Page(const ReadModel& model, const Identity& identity, const std::vector<std::string>& masters);

    void addTo(http::Router& router);
    void start(Events::Later later) { events_.start(std::move(later)); }
    void before(const Delta& delta) { events_.before(delta); }

private:
    http::Response file(const http::Request& request) const;
    void sandbox(const http::Request& request, http::Responder responder);
    void batch(const http::Request& request, http::Responder responder);

    const ReadModel& model_;
    const std::vector<std::string>& masters_;
    Events events_;
    Relay relay_;
};

} // namespace stoa::master::page
