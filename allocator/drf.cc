// Weighted dominant resource fairness: progressive filling, to the role with the smallest dominant share divided by
// its weight and, within it, to the framework with the smallest dominant share. Exact in integers, apart from rounding
// a share down to 2^-48 of the cluster.
// Source: Ghodsi et al., "Dominant Resource Fairness: Fair Allocation of Multiple Resource Types", NSDI 2011.
#include "allocator/alignment.h"
#include "allocator/built_in.h"
#include "allocator/contenders.h"
#include "allocator/module_face.h"
#include "allocator/shares.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::allocator {
namespace {

class Drf final : public Policy {
public:
    Drf(Host, std::string_view parameters) {
        if (!parameters.empty()) {
            throw std::invalid_argument("the drf allocator takes no parameters, but was given \"" +
                                        std::string(parameters) + "\"");
        }
    }

    void begin(const View& view, std::span<const std::uint32_t> contenders) override {
        shares_.of(view.total());
        for (std::uint32_t role : used_roles_) clients_[role].clear();
        used_roles_.clear();
        roles_.clear();
        if (clients_.size() < view.roles()) clients_.resize(view.roles());
        for (std::uint32_t client : contenders) {
            const std::uint32_t role = view.client(client).role;
            if (!roles_.contains(role)) {
                roles_.set(role, roleKey(view, role));
                used_roles_.push_back(role);
            }
            clients_[role].set(client, shares_.dominant(view.client(client).held));
        }
    }

    std::uint32_t next(const View&) override { return roles_.empty() ? kNone : clients_[roles_.first()].first(); }

    Placement place(const View& view, const Request& request, std::span<const std::uint32_t> candidates) override {
        // A gang is nobody else's turn until it is placed, and is the faster the closer it is together.
        if (request.gang != 0) return most(view, request, candidates);
        const std::uint32_t agent = Alignment::best(view, shares_, request, candidates);
        if (agent == kNone || request.wanted == 0) return {agent, 1};
        return {agent, timesFits(view.agent(agent).free, request.shape, turns(view, request))};
    }

    void charged(const View& view, std::uint32_t client) override {
        const std::uint32_t role = view.client(client).role;
        clients_[role].set(client, shares_.dominant(view.client(client).held));
        roles_.set(role, roleKey(view, role));
    }

    void retired(const View& view, std::uint32_t client) override {
        const std::uint32_t role = view.client(client).role;
        clients_[role].erase(client);
        if (clients_[role].empty()) roles_.erase(role);
    }

private:
    std::uint64_t roleKey(const View& view, std::uint32_t role) const {
        return shares_.weighted(shares_.dominant(view.role(role).held), view.role(role).weight);
    }

    static Placement most(const View& view, const Request& request, std::span<const std::uint32_t> candidates) {
        Placement best{kNone, 0};
        for (std::uint32_t candidate : candidates) {
            const std::uint32_t fits = timesFits(view.agent(candidate).free, request.shape, request.wanted);
            if (fits > best.count || (fits == best.count && candidate < best.agent)) best = {candidate, fits};
        }
        return best;
    }

    // How many pieces in a row the client would be given one by one before it is somebody else's turn.
    std::uint32_t turns(const View& view, const Request& request) const {
        const stoa_allocator_client_v1& client = view.client(request.client);
        const stoa_allocator_role_v1& role = view.role(client.role);
        const std::uint64_t among_clients = clients_[client.role].secondKey(Shares::kEndless);
        const std::uint64_t among_roles = shares_.unweighted(roles_.secondKey(Shares::kEndless), role.weight);
        return std::min(shares_.piecesUpTo(client.held, request.shape, among_clients, request.wanted),
                        shares_.piecesUpTo(role.held, request.shape, among_roles, request.wanted));
    }

    Shares shares_;
    Contenders roles_;
    std::vector<Contenders> clients_;       // by role
    std::vector<std::uint32_t> used_roles_; // whose entry in clients_ may not be empty
};

} // namespace

const stoa_allocator_module_v1* drfModule() { return ModuleOf<Drf>::table("drf"); }

} // namespace stoa::allocator
