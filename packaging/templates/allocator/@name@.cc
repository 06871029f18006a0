// An allocator module: says who comes next and where it is placed. This one serves the framework that holds the fewest
// tasks first, and fills agents up before it takes the next. Replace that by what you want; the master keeps all state,
// and checks every answer, so that a wrong one costs fairness and never safety.
#include "allocator/module_face.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

using stoa::allocator::kNone;
using stoa::allocator::Placement;
using stoa::allocator::Request;
using stoa::allocator::View;

class @Name@ final : public stoa::allocator::Policy {
public:
    // `parameters` is what stoa-master --allocator_parameters says. An exception refuses it.
    @Name@(stoa::allocator::Host, std::string_view parameters) {
        if (!parameters.empty()) throw std::invalid_argument("@name@ takes no parameters");
    }

    // A turn begins: these want something.
    void begin(const View& view, std::span<const std::uint32_t> contenders) override {
        order_.clear();
        for (std::uint32_t client : contenders) insert(view, client);
    }

    // Who comes next? Ties are broken by number: decisions must not depend on chance or addresses.
    std::uint32_t next(const View&) override { return order_.empty() ? kNone : std::get<1>(*order_.begin()); }

    // Where does it get its piece? On the fullest of these agents, by free processors.
    Placement place(const View& view, const Request&, std::span<const std::uint32_t> candidates) override {
        std::uint32_t best = kNone;
        for (std::uint32_t agent : candidates) {
            if (best == kNone || std::tuple(view.agent(agent).free[0], agent) < std::tuple(view.agent(best).free[0], best)) {
                best = agent;
            }
        }
        return {best, 1};
    }

    // It got it, and holds more now.
    void charged(const View& view, std::uint32_t client) override {
        retired(view, client);
        insert(view, client);
    }

    // Nothing is left for it in this turn.
    void retired(const View&, std::uint32_t client) override {
        const auto at = std::find_if(order_.begin(), order_.end(), [&](const auto& e) { return std::get<1>(e) == client; });
        if (at != order_.end()) order_.erase(at);
    }

private:
    void insert(const View& view, std::uint32_t client) {
        order_.insert({std::uint64_t{view.client(client).tasks} + view.client(client).units, client});
    }

    std::set<std::tuple<std::uint64_t, std::uint32_t>> order_;
};

} // namespace

STOA_ALLOCATOR_MODULE(@Name@, "@name@")
