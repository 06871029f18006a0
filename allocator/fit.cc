#include "allocator/fit.h"

#include "protocol/strings.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

namespace stoa::allocator {
namespace {

// What an agent has under the name and of the type that the shape asks for.
const Resources::Other* same(const Resources& free, const Resources::Other& wanted) {
    const Resources::Other* has = free.find(wanted.name);
    return has != nullptr && has->value.index() == wanted.value.index() ? has : nullptr;
}

std::uint64_t timesFits(const Resources& free, const Resources::Other& wanted) {
    const Resources::Other* has = same(free, wanted);
    if (has == nullptr) return 0;
    if (const auto* amount = std::get_if<Milli>(&wanted.value)) {
        return static_cast<std::uint64_t>(std::get<Milli>(has->value).count / amount->count);
    }
    if (const auto* ranges = std::get_if<Ranges>(&wanted.value))
        return std::get<Ranges>(has->value).size() / ranges->size();
    const auto& names = std::get<NameSet>(has->value);
    const auto& asked = std::get<NameSet>(wanted.value);
    return std::includes(names.begin(), names.end(), asked.begin(), asked.end()) ? 1 : 0;
}

} // namespace

std::uint32_t timesFits(const Resources& free, const Resources& shape, std::uint32_t limit) {
    std::uint64_t fits = limit;
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const std::int64_t wanted = shape.scalars()[i];
        if (wanted > 0) fits = std::min(fits, static_cast<std::uint64_t>(free.scalars()[i] / wanted));
    }
    for (const Resources::Other& wanted : shape.others()) {
        if (fits == 0) break;
        fits = std::min(fits, timesFits(free, wanted));
    }
    return static_cast<std::uint32_t>(fits);
}

Resources cut(const Resources& free, const Resources& shape, std::uint32_t count) {
    Resources::Scalars scalars = shape.scalars();
    for (std::int64_t& scalar : scalars) scalar *= count;
    Resources part(scalars);
    for (const Resources::Other& wanted : shape.others()) {
        Resources::Other piece = wanted;
        if (auto* ranges = std::get_if<Ranges>(&piece.value)) {
            *ranges = std::get<Ranges>(same(free, wanted)->value).lowest(ranges->size() * count);
        } else if (auto* amount = std::get_if<Milli>(&piece.value)) {
            amount->count *= count;
        }
        [[maybe_unused]] const absl::Status added = part.add(std::move(piece));
        assert(added.ok());
    }
    return part;
}

std::string lacks(const Resources& free, const Resources& shape) {
    Resources asked(shape.scalars());
    std::string ranges;
    for (const Resources::Other& wanted : shape.others()) {
        if (const auto* numbers = std::get_if<Ranges>(&wanted.value)) {
            if (timesFits(free, wanted) > 0) continue;
            const Resources::Other* has = same(free, wanted);
            const std::uint64_t count = has == nullptr ? 0 : std::get<Ranges>(has->value).size();
            ranges += concat(ranges.empty() ? "needs " : ", ", numbers->size(), " ", wanted.name, ", has ", count);
        } else {
            [[maybe_unused]] const absl::Status added = asked.add(wanted);
            assert(added.ok());
        }
    }
    const std::string others = free.shortfall(asked);
    return others.empty() || ranges.empty() ? others + ranges : others + "; " + ranges;
}

} // namespace stoa::allocator
