// A module as its writer would write it: contenders by number, each on the first candidate.
#include "allocator/module_face.h"

#include <cstdint>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>

namespace {

using stoa::allocator::Host;
using stoa::allocator::kNone;
using stoa::allocator::Placement;
using stoa::allocator::Policy;
using stoa::allocator::Request;
using stoa::allocator::View;

class FirstCome final : public Policy {
public:
    FirstCome(Host host, std::string_view parameters) : host_(host) {
        if (parameters == "bad") throw std::invalid_argument("\"bad\" is not a parameter");
    }
    void begin(const View&, std::span<const std::uint32_t> contenders) override {
        waiting_ = std::set<std::uint32_t>(contenders.begin(), contenders.end());
    }
    std::uint32_t next(const View&) override { return waiting_.empty() ? kNone : *waiting_.begin(); }
    Placement place(const View&, const Request&, std::span<const std::uint32_t> candidates) override {
        std::uint32_t lowest = kNone;
        for (std::uint32_t candidate : candidates) lowest = candidate < lowest ? candidate : lowest;
        return {lowest, 1};
    }
    void charged(const View&, std::uint32_t) override {}
    void retired(const View&, std::uint32_t client) override { waiting_.erase(client); }

private:
    Host host_;
    std::set<std::uint32_t> waiting_;
};

} // namespace

STOA_ALLOCATOR_MODULE(FirstCome, "first-come")
