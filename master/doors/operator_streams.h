// Those who follow the cluster: each has a stream that began with a whole snapshot of the read model and goes on with
// an event for each change, so that nothing lies between. An event is encoded once for all of them. Who reads too slowly
// loses his stream (http::Stream bounds its queue), and subscribes anew.
//
//     streams.subscribe(std::move(reply), wants_offers, model);
//     streams.apply(model, deltas);    // instead of model.apply()
//     streams.beat();                  // every kOperatorHeartbeat
//
// Owned and called by the HTTP server's thread, as the read model is.
#pragma once

#include "master/read_model/operator_json.h"
#include "protocol/http/server.h"

#include <string>
#include <vector>

namespace stoa::master {

class OperatorStreams {
public:
    // With `offers`, also Stoa's own events about offers.
    void subscribe(http::Responder reply, bool offers, const ReadModel& model, const std::string& peer);
    void apply(ReadModel& model, const std::vector<Delta>& deltas);
    void beat();
    std::size_t size() const { return followers_.size(); }

private:
    struct Follower {
        http::Stream stream;
        bool offers = false;
    };
    void tell(const OperatorEvent& event);

    std::vector<Follower> followers_;
};

} // namespace stoa::master
