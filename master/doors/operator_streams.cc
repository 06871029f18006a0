#include "master/doors/operator_streams.h"

#include "master/doors/api_request.h"

#include <glog/logging.h>

#include <utility>

namespace stoa::master {

void OperatorStreams::subscribe(http::Responder reply, bool offers, const ReadModel& model, const std::string& peer) {
    http::Stream stream = reply.stream(streamHead());
    stream.onEnd([peer](const std::string& why) {
        LOG_EVERY_T(INFO, 1) << "the event stream of " << peer << " ended: " << why; // a thousand may end at once
    });
    if (!stream.write(record(subscribedJson(model))) || !stream.write(record(heartbeatJson()))) return;
    followers_.push_back({std::move(stream), offers});
}

void OperatorStreams::apply(ReadModel& model, const std::vector<Delta>& deltas) {
    for (const Delta& delta : deltas) {
        if (followers_.empty()) {
            model.apply(delta);
            continue;
        }
        const bool known = knows(model, delta);
        model.apply(delta);
        if (const std::optional<OperatorEvent> event = eventOf(model, delta, known)) tell(*event);
    }
}

void OperatorStreams::beat() { tell({heartbeatJson(), false}); }

void OperatorStreams::tell(const OperatorEvent& event) {
    const Body chunk = makeBody(record(event.json));
    std::erase_if(followers_, [&](Follower& follower) {
        return (follower.offers || !event.offer) && !follower.stream.write(chunk);
    });
}

} // namespace stoa::master
