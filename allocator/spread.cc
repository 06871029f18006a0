// Fair spread: the framework with the fewest pieces (its tasks, and what its open offers hold) comes next, whatever
// size they are, and gets its piece on the emptiest agent. Weights and roles don't matter. For clusters of equal
// services that want their replicas apart; and the second module, which keeps the interface honest.
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

namespace stoa::allocator {
namespace {

class Spread final : public Policy {
public:
    Spread(Host, std::string_view parameters) {
        if (!parameters.empty()) {
            throw std::invalid_argument("the spread allocator takes no parameters, but was given \"" +
                                        std::string(parameters) + "\"");
        }
    }

    void begin(const View& view, std::span<const std::uint32_t> contenders) override {
        clients_.clear();
        for (std::uint32_t client : contenders) charged(view, client);
    }

    std::uint32_t next(const View&) override { return clients_.empty() ? kNone : clients_.first(); }

    Placement place(const View& view, const Request&, std::span<const std::uint32_t> candidates) override {
        std::uint32_t best = kNone;
        std::uint64_t best_used = 0;
        for (std::uint32_t candidate : candidates) {
            const std::uint64_t used = fullest(view.agent(candidate));
            if (best == kNone || used < best_used || (used == best_used && candidate < best)) {
                best = candidate;
                best_used = used;
            }
        }
        return {best, 1};
    }

    void charged(const View& view, std::uint32_t client) override {
        clients_.set(client, std::uint64_t{view.client(client).units} + view.client(client).tasks);
    }
    void retired(const View&, std::uint32_t client) override { clients_.erase(client); }

private:
    // The part in use of the resource that is used most.
    static std::uint64_t fullest(const stoa_allocator_agent_v1& agent) {
        Shares shares;
        shares.of(agent.total);
        std::int64_t used[kScalars];
        for (std::size_t i = 0; i < kScalars; ++i) used[i] = std::max<std::int64_t>(agent.total[i] - agent.free[i], 0);
        return shares.dominant(used);
    }

    Contenders clients_;
};

} // namespace

const stoa_allocator_module_v1* spreadModule() { return ModuleOf<Spread>::table("spread"); }

} // namespace stoa::allocator
