#include "frameworks/sdk/driver_core.h"
#include "protocol/strings.h"

#include <absl/container/flat_hash_set.h>

#include <utility>

namespace stoa::sdk {

void DriverCore::step(const DriverInput& input, Time, DriverOutput& output) {
    if (state_ == State::kEnded) return;
    std::visit([&](const auto& what) { on(what, output); }, input);
}

void DriverCore::on(const Connected& connected, DriverOutput& output) {
    // A leader that was replaced may not know it yet: its number tells.
    if (connected.epoch < highest_epoch_) {
        output.drop_session =
            concat("this master leads in epoch ", connected.epoch, ", but epoch ", highest_epoch_, " was seen already");
        return;
    }
    highest_epoch_ = connected.epoch;
    state_ = State::kSubscribing;
    say(call::Subscribe{options_.framework, options_.suppressed_roles}, output);
}

void DriverCore::on(const Gone& gone, DriverOutput& output) {
    const bool was_subscribed = state_ == State::kSubscribed;
    state_ = State::kDisconnected;
    forgetAll();
    if (was_subscribed) output.told.push_back(Disconnected{gone.why});
}

void DriverCore::on(const Received& received, DriverOutput& output) {
    if (state_ == State::kDisconnected) return;
    std::visit([&](const auto& event) { onEvent(event, output); }, received.event);
}

void DriverCore::onEvent(const event::Subscribed& subscribed, DriverOutput& output) {
    if (subscribed.epoch < highest_epoch_) {
        output.drop_session = concat("SUBSCRIBED of epoch ", subscribed.epoch, " came after epoch ", highest_epoch_);
        return;
    }
    highest_epoch_ = subscribed.epoch;
    options_.framework.id = subscribed.framework;
    state_ = State::kSubscribed;
    forgetAll();
    if (demands_) say(*demands_, output);
    output.told.push_back(subscribed);
}

void DriverCore::onEvent(const event::Offers& offers, DriverOutput& output) {
    if (state_ != State::kSubscribed) return;
    for (const Offer& offer : offers.offers) {
        offers_[offer.id] = {offer.agent, offer.gang};
        if (!offer.gang.empty()) gangs_[offer.gang].push_back(offer.id);
    }
    output.told.push_back(offers);
}

void DriverCore::onEvent(const event::Rescind& rescind, DriverOutput& output) {
    // An offer that was answered meanwhile is of no interest any more; the update of its tasks will tell.
    const auto open = offers_.find(rescind.offer);
    if (open == offers_.end()) return;
    if (open->second.gang.empty()) {
        forget(rescind.offer);
        output.told.push_back(rescind);
        return;
    }
    // With one, all of its gang; what the master says of the others finds them gone.
    const std::vector<OfferId> gang = gangs_.at(open->second.gang);
    forget(rescind.offer);
    for (const OfferId& offer : gang) output.told.push_back(event::Rescind{offer});
}

void DriverCore::onEvent(const event::Update& update, DriverOutput& output) {
    if (state_ == State::kSubscribed) output.told.push_back(update);
}

void DriverCore::onEvent(const event::Message& message, DriverOutput& output) {
    if (state_ == State::kSubscribed) output.told.push_back(message);
}

void DriverCore::onEvent(const event::Failure& failure, DriverOutput& output) {
    if (state_ == State::kSubscribed) output.told.push_back(failure);
}

void DriverCore::onEvent(const event::Error& error, DriverOutput& output) {
    state_ = State::kEnded;
    forgetAll();
    output.told.push_back(error);
}

absl::Status DriverCore::call(Call call, DriverOutput& output) {
    if (state_ == State::kEnded) return absl::FailedPreconditionError("the driver has ended");
    if (auto* demands = std::get_if<call::SetDemands>(&call)) {
        demands_ = *demands;
        if (state_ == State::kSubscribed) say(std::move(call), output);
        return absl::OkStatus();
    }
    if (state_ != State::kSubscribed) return absl::UnavailableError("not subscribed to a master at the moment");

    if (auto* accept = std::get_if<call::Accept>(&call)) {
        if (absl::Status taken = takeOffers(accept->offers, true); !taken.ok()) return taken;
    } else if (auto* decline = std::get_if<call::Decline>(&call)) {
        if (absl::Status taken = takeOffers(decline->offers, false); !taken.ok()) return taken;
    } else if (std::holds_alternative<call::Subscribe>(call)) {
        return absl::InvalidArgumentError("the driver itself subscribes");
    } else if (const auto* update = std::get_if<call::UpdateFramework>(&call)) {
        // What it says of itself when it subscribes again.
        const FrameworkId id = options_.framework.id;
        options_.framework = update->info;
        options_.framework.id = id;
        options_.suppressed_roles = update->suppressed_roles;
    }
    const bool last = std::holds_alternative<call::Teardown>(call);
    say(std::move(call), output);
    if (last) {
        state_ = State::kEnded;
        forgetAll();
    }
    return absl::OkStatus();
}

void DriverCore::told(const Told& told, DriverOutput& output) {
    const auto* update = std::get_if<event::Update>(&told);
    if (!update || !update->status.uuid || options_.explicit_acknowledgements || state_ != State::kSubscribed) return;
    const TaskStatus& status = update->status;
    say(call::Acknowledge{status.agent, status.task, *status.uuid}, output);
}

// All or nothing: on an error every offer stands as before.
absl::Status DriverCore::takeOffers(const std::vector<OfferId>& offers, bool accepted) {
    if (offers.empty()) return absl::InvalidArgumentError("no offer is named");
    const Open* first = nullptr;
    for (const OfferId& offer : offers) {
        auto open = offers_.find(offer);
        if (open == offers_.end()) {
            return absl::NotFoundError(
                concat("offer ", offer.value(), " does not stand: rescinded, used, or of an earlier session"));
        }
        if (!first) first = &open->second;
        if (accepted && open->second.gang != first->gang) {
            return absl::InvalidArgumentError("offers of several gangs, or of one and of none, in one accept");
        }
        if (accepted && first->gang.empty() && open->second.agent != first->agent) {
            return absl::InvalidArgumentError(concat("offers of two agents in one accept: ", first->agent.value(),
                                                     " and ", open->second.agent.value()));
        }
    }
    if (accepted && !first->gang.empty()) {
        const absl::flat_hash_set<OfferId> named(offers.begin(), offers.end());
        if (const std::size_t all = gangs_.at(first->gang).size(); named.size() != all) {
            return absl::InvalidArgumentError(concat("the accept names ", named.size(), " of a gang's ", all,
                                                     " offers; a gang is accepted whole, in one call"));
        }
    }
    for (const OfferId& offer : offers) forget(offer);
    return absl::OkStatus();
}

void DriverCore::forget(const OfferId& offer) {
    const auto open = offers_.find(offer);
    if (open == offers_.end()) return;
    const OfferId gang = open->second.gang;
    offers_.erase(open);
    if (gang.empty()) return;
    const auto all = gangs_.find(gang);
    for (const OfferId& each : all->second) offers_.erase(each);
    gangs_.erase(all);
}

void DriverCore::forgetAll() {
    offers_.clear();
    gangs_.clear();
}

void DriverCore::say(Call call, DriverOutput& output) {
    output.calls.push_back({options_.framework.id, std::move(call)});
}

} // namespace stoa::sdk
