#include "allocator/clamped.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>
#include <variant>

namespace stoa::allocator {
namespace {

Resources::Other less(Resources::Other from, const Resources::Other& part) {
    if (auto* amount = std::get_if<Milli>(&from.value)) {
        amount->count -= std::min(amount->count, std::get<Milli>(part.value).count);
    } else if (auto* ranges = std::get_if<Ranges>(&from.value)) {
        ranges->subtract(std::get<Ranges>(part.value));
    } else {
        const auto& names = std::get<NameSet>(from.value);
        const auto& taken = std::get<NameSet>(part.value);
        NameSet left;
        std::set_difference(names.begin(), names.end(), taken.begin(), taken.end(), std::back_inserter(left));
        from.value = std::move(left);
    }
    return from;
}

} // namespace

bool subtractClamped(Resources& from, const Resources& part) {
    if (from.subtract(part).ok()) return true;
    Resources::Scalars scalars = from.scalars();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) scalars[i] -= std::min(scalars[i], part.scalars()[i]);
    Resources left(scalars);
    for (const Resources::Other& other : from.others()) {
        const Resources::Other* taken = part.find(other.name);
        const bool same_type = taken != nullptr && taken->value.index() == other.value.index();
        [[maybe_unused]] const absl::Status added = left.add(same_type ? less(other, *taken) : other);
        assert(added.ok());
    }
    from = std::move(left);
    return false;
}

} // namespace stoa::allocator
