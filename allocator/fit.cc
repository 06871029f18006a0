#include "allocator/fit.h"

#include "protocol/strings.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <variant>

namespace stoa::allocator {
namespace {

constexpr std::int64_t kOne = 1000; // thousandths

// How many numbers `wanted` asks of a range; none when the agent doesn't have a range of that name.
std::optional<std::uint64_t> numbersWanted(const Resources::Other& wanted, const Resources::Other* has) {
    const auto* amount = std::get_if<Milli>(&wanted.value);
    if (amount == nullptr || has == nullptr || !std::holds_alternative<Ranges>(has->value)) return std::nullopt;
    return static_cast<std::uint64_t>((amount->count + kOne - 1) / kOne);
}

std::uint64_t timesFits(const Resources& free, const Resources::Other& wanted) {
    const Resources::Other* has = free.find(wanted.name);
    if (has == nullptr) return 0;
    if (const auto numbers = numbersWanted(wanted, has)) return std::get<Ranges>(has->value).size() / *numbers;
    if (has->value.index() != wanted.value.index()) return 0;
    if (const auto* amount = std::get_if<Milli>(&wanted.value)) {
        return static_cast<std::uint64_t>(std::get<Milli>(has->value).count / amount->count);
    }
    if (const auto* ranges = std::get_if<Ranges>(&wanted.value)) return std::get<Ranges>(has->value).contains(*ranges) ? 1 : 0;
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
        if (const auto numbers = numbersWanted(wanted, free.find(wanted.name))) {
            piece.value = std::get<Ranges>(free.find(wanted.name)->value).lowest(*numbers * count);
        } else if (auto* amount = std::get_if<Milli>(&piece.value)) {
            amount->count *= count;
        }
        [[maybe_unused]] const absl::Status added = part.add(std::move(piece));
        assert(added.ok());
    }
    return part;
}

std::string lacks(const Resources& free, const Resources& shape) {
    // Numbers that are asked of a range are compared as ranges are: by how many there are.
    Resources asked(shape.scalars());
    std::string ranges;
    for (const Resources::Other& wanted : shape.others()) {
        if (const auto numbers = numbersWanted(wanted, free.find(wanted.name))) {
            const std::uint64_t has = std::get<Ranges>(free.find(wanted.name)->value).size();
            if (has < *numbers) ranges += concat(ranges.empty() ? "needs " : ", ", *numbers, " ", wanted.name, ", has ", has);
        } else {
            [[maybe_unused]] const absl::Status added = asked.add(wanted);
            assert(added.ok());
        }
    }
    const std::string others = free.shortfall(asked);
    return others.empty() || ranges.empty() ? others + ranges : others + "; " + ranges;
}

} // namespace stoa::allocator
