#include "protocol/leader/following.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>

namespace stoa {

void Following::on(Link link, DialerArrival arrival, Time now, std::vector<DialerArrival>& told) {
    const bool ours = current_ && current_->link == link;
    if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
        if (connected->epoch < highest_epoch_) {
            ++counters_.refused_epochs;
            return;
        }
        // Two ways to one leader: the one in use stays.
        if (current_ && !ours && connected->epoch == led_by_) return;
        if (current_) over(concat("a master of epoch ", connected->epoch, " leads now"), now, told);
        const bool first = led_by_ == 0;
        if (!first && connected->epoch > led_by_) ++counters_.failovers;
        highest_epoch_ = led_by_ = connected->epoch;
        current_ = Way{link, connected->session};
        const auto spread = static_cast<std::uint64_t>(spread_.count());
        if (first || spread == 0) {
            tell(now, told);
        } else {
            tell_at_ = now + Duration(static_cast<Duration::rep>(rng_.below(spread)));
        }
    } else if (auto* message = std::get_if<dialed::Message>(&arrival)) {
        if (!ours) {
            ++counters_.refused_epochs;
            return;
        }
        if (tell_at_) tell(now, told);
        told.emplace_back(dialed::Message{0, std::move(message->body)});
    } else if (ours) {
        over(std::move(std::get<dialed::Gone>(arrival).why), now, told);
    }
}

void Following::dropped(Link link, Time now, std::vector<DialerArrival>& told) {
    if (current_ && current_->link == link) over("the master is no longer among those that may lead", now, told);
}

void Following::wake(Time now, std::vector<DialerArrival>& told) {
    if (tell_at_ && *tell_at_ <= now) tell(now, told);
}

void Following::tell(Time now, std::vector<DialerArrival>& told) {
    tell_at_.reset();
    told_at_ = now;
    told.emplace_back(dialed::Connected{0, ++session_, led_by_});
}

void Following::over(std::string why, Time now, std::vector<DialerArrival>& told) {
    current_.reset();
    if (std::exchange(tell_at_, std::nullopt)) return; // it was never told of
    spread_ = now - told_at_ < options_.soon ? std::min(2 * spread_, options_.most_spread) : options_.spread;
    told.emplace_back(dialed::Gone{0, std::move(why)});
}

std::optional<Following::Way> Following::wayOf(std::uint64_t session) const {
    if (tell_at_ || session != session_) return std::nullopt;
    return current_;
}

std::optional<Following::Link> Following::link() const {
    if (!current_) return std::nullopt;
    return current_->link;
}

} // namespace stoa
