// Every invariant at once, and a digest of everything that decisions depend on but the order in which it came. For
// tests and the simulator; both look at everything.
#include "allocator/allocator.h"
#include "allocator/eligibility.h"
#include "allocator/ledger.h"
#include "protocol/strings.h"

#include <algorithm>
#include <string>
#include <vector>

namespace stoa::allocator {

absl::Status Allocator::check() const {
    if (absl::Status ledger = ledger_->check(); !ledger.ok()) return ledger;
    if (std::string wrong = eligibility_->check(); !wrong.empty()) return absl::InternalError(wrong);
    return absl::OkStatus();
}

namespace {

// FNV-1a over lines in sorted order.
std::uint64_t digestOf(std::vector<std::string> lines) {
    std::sort(lines.begin(), lines.end());
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::string& line : lines) {
        for (const char c : line + '\n') hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return hash;
}

} // namespace

std::uint64_t Allocator::digest() const {
    std::vector<std::string> lines;
    const auto clientName = [&](Slot slot) {
        const Ledger::Client& client = ledger_->clients()[slot];
        return concat(ledger_->frameworks()[client.framework].id.value(), " in ", ledger_->roles()[client.role].name);
    };
    ledger_->agents().forEach([&](Slot slot, const Ledger::Agent& agent) {
        std::string line = concat("agent ", agent.id.value(), " ", agent.total.toString(), " free ",
                                  agent.free.toString(), eligibility_->offerable(slot) ? " offerable" : "");
        for (const Attribute& attribute : agent.attributes)
            line += concat(" ", attribute.name, "=", toString(attribute));
        lines.push_back(std::move(line));
    });
    ledger_->offers().forEach([&](Slot, const Ledger::Offer& offer) {
        lines.push_back(concat("offer ", offer.number, " ", ledger_->agents()[offer.agent].id.value(), " ",
                               clientName(offer.client), " ", offer.count, " ", offer.gang, " ",
                               offer.resources.toString()));
    });
    ledger_->tasks().forEach([&](Slot, const Ledger::Task& task) {
        lines.push_back(concat("task ", task.key.task.value(), " ", ledger_->agents()[task.agent].id.value(), " ",
                               clientName(task.client), " ", task.resources.toString()));
    });
    ledger_->frameworks().forEach([&](Slot slot, const Ledger::Framework& framework) {
        lines.push_back(concat("framework ", framework.id.value(), framework.present ? " present" : "",
                               framework.present && eligibility_->active(slot) ? " active" : ""));
    });
    for (const auto& [name, slot] : ledger_->rolesByName()) {
        lines.push_back(concat("role ", name, " ", ledger_->roleFigures(slot).weight));
    }
    eligibility_->requests().forEach([&](Slot slot, const Eligibility::Request& request) {
        const std::string who = concat("request ", clientName(request.client), " ", request.demand);
        std::string line =
            concat(who, request.remainder ? " remainder " : " ", request.count, " x ", request.shape.toString(),
                   request.gang ? concat(" gang of ", request.gang->most_per_agent) : "",
                   request.wanting ? " wanting" : "", eligibility_->suppressed(request.client) ? " suppressed" : "");
        for (const Constraint& constraint : request.constraints) line += concat(" ", toString(constraint));
        lines.push_back(std::move(line));
        eligibility_->refusals().of(slot).forEach(
            [&](Slot agent) { lines.push_back(concat(who, " refused ", ledger_->agents()[agent].id.value())); });
    });
    return digestOf(std::move(lines));
}

} // namespace stoa::allocator
