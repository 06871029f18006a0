#include "protocol/leader/following.h"

#include "protocol/strings.h"

#include <utility>

namespace stoa {

void Following::on(Link link, DialerArrival arrival, std::vector<DialerArrival>& told) {
    const bool ours = current_ && current_->link == link;
    if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
        if (connected->epoch < highest_epoch_) {
            ++counters_.refused_epochs;
            return;
        }
        // Two ways to one leader: the one in use stays.
        if (current_ && !ours && connected->epoch == led_by_) return;
        if (current_) over(concat("a master of epoch ", connected->epoch, " leads now"), told);
        if (led_by_ != 0 && connected->epoch > led_by_) ++counters_.failovers;
        highest_epoch_ = led_by_ = connected->epoch;
        current_ = Way{link, connected->session};
        told.emplace_back(dialed::Connected{0, ++session_, connected->epoch});
    } else if (auto* message = std::get_if<dialed::Message>(&arrival)) {
        if (ours) {
            told.emplace_back(dialed::Message{0, std::move(message->body)});
        } else {
            ++counters_.refused_epochs;
        }
    } else if (ours) {
        over(std::move(std::get<dialed::Gone>(arrival).why), told);
    }
}

void Following::dropped(Link link, std::vector<DialerArrival>& told) {
    if (current_ && current_->link == link) over("the master is no longer among those that may lead", told);
}

void Following::over(std::string why, std::vector<DialerArrival>& told) {
    current_.reset();
    told.emplace_back(dialed::Gone{0, std::move(why)});
}

std::optional<Following::Way> Following::wayOf(std::uint64_t session) const {
    return session == session_ ? current_ : std::nullopt;
}

std::optional<Following::Link> Following::link() const {
    if (!current_) return std::nullopt;
    return current_->link;
}

} // namespace stoa
