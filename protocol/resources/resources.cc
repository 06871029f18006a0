#include "protocol/resources/resources.h"

#include "protocol/resources/amount.h"
#include "protocol/resources/text.h"

#include "protocol/strings.h"

#include <absl/strings/str_join.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace stoa {
namespace {

// Sums over a whole cluster of absurd machines stay at the top instead of turning negative.
std::int64_t addSaturating(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) return std::numeric_limits<std::int64_t>::max();
    return sum;
}

std::int64_t timesSaturating(std::int64_t a, std::uint32_t count) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(a, static_cast<std::int64_t>(count), &product)) {
        return std::numeric_limits<std::int64_t>::max();
    }
    return product;
}

// Bundles of different machines may have different types under one name; then both stand side by side.
bool comesBefore(const Resources::Other& a, const Resources::Other& b) {
    if (int order = a.name.compare(b.name); order != 0) return order < 0;
    return a.value.index() < b.value.index();
}

bool isNothing(const Resources::Other& other) {
    return std::visit(
        [](const auto& value) {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Milli>) {
                return value.count == 0;
            } else {
                return value.empty();
            }
        },
        other.value);
}

// The three operations on two values of one type.
struct Add {
    void operator()(Milli& a, Milli b) const { a.count = addSaturating(a.count, b.count); }
    void operator()(Ranges& a, const Ranges& b) const { a.add(b); }
    void operator()(NameSet& a, const NameSet& b) const {
        NameSet both;
        std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
        a = std::move(both);
    }
};
struct Subtract {
    void operator()(Milli& a, Milli b) const { a = a - b; }
    void operator()(Ranges& a, const Ranges& b) const { a.subtract(b); }
    void operator()(NameSet& a, const NameSet& b) const {
        NameSet left;
        std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(left));
        a = std::move(left);
    }
};
struct Contains {
    bool operator()(Milli a, Milli b) const { return a >= b; }
    bool operator()(const Ranges& a, const Ranges& b) const { return a.contains(b); }
    bool operator()(const NameSet& a, const NameSet& b) const {
        return std::includes(a.begin(), a.end(), b.begin(), b.end());
    }
};

template <class Operation, class A, class B>
auto onSameType(const Operation& operation, A& a, const B& b) {
    return std::visit([&](auto& mine) { return operation(mine, std::get<std::decay_t<decltype(mine)>>(b.value)); },
                      a.value);
}

// The entry of the same name and type, or where it would stand.
template <class List>
auto place(List& list, const Resources::Other& other) {
    return std::lower_bound(list.begin(), list.end(), other, comesBefore);
}
template <class List, class Iterator>
bool standsAt(const List& list, Iterator at, const Resources::Other& other) {
    return at != list.end() && !comesBefore(other, *at);
}

} // namespace

Resources Resources::cpusMem(double cpus, double mem_megabytes) {
    Resources resources;
    resources.setScalar(kCpus, amountOf(cpus).value());
    resources.setScalar(kMem, amountOf(mem_megabytes).value());
    return resources;
}

const Resources::Other* Resources::find(std::string_view name) const {
    auto at = std::lower_bound(others_.begin(), others_.end(), name,
                               [](const Other& other, std::string_view wanted) { return other.name < wanted; });
    return at != others_.end() && at->name == name ? &*at : nullptr;
}

absl::Status Resources::add(Other other) {
    if (absl::Status form = checkResource(other); !form.ok()) return form;
    if (auto which = std::find(kScalarNames.begin(), kScalarNames.end(), other.name); which != kScalarNames.end()) {
        std::int64_t& mine = scalars_[static_cast<std::size_t>(which - kScalarNames.begin())];
        const std::int64_t sum = addSaturating(mine, std::get<Milli>(other.value).count);
        if (sum > kLargestAmount.count) {
            return invalid(other.name, " adds up to too much: the most is ", stoa::toString(kLargestAmount));
        }
        mine = sum;
        return absl::OkStatus();
    }
    if (const Other* mine = find(other.name); mine != nullptr && mine->value.index() != other.value.index()) {
        return invalid("\"", other.name, "\" is ", typeInWords(*mine), " and ", typeInWords(other),
                       " at the same time");
    }
    if (isNothing(other)) return absl::OkStatus();
    if (auto* amount = std::get_if<Milli>(&other.value)) {
        const Other* mine = find(other.name);
        const std::int64_t before = mine == nullptr ? 0 : std::get<Milli>(mine->value).count;
        if (addSaturating(before, amount->count) > kLargestAmount.count) {
            return invalid(other.name, " adds up to too much: the most is ", stoa::toString(kLargestAmount));
        }
    } else if (auto* names = std::get_if<NameSet>(&other.value)) {
        std::sort(names->begin(), names->end());
        names->erase(std::unique(names->begin(), names->end()), names->end());
    }
    auto at = place(others_, other);
    if (standsAt(others_, at, other)) {
        onSameType(Add(), *at, other);
    } else {
        others_.insert(at, std::move(other));
    }
    return absl::OkStatus();
}

bool Resources::empty() const {
    return others_.empty() && std::all_of(scalars_.begin(), scalars_.end(), [](std::int64_t s) { return s == 0; });
}

bool Resources::contains(const Resources& part) const {
    for (std::size_t i = 0; i < kScalars; ++i) {
        if (scalars_[i] < part.scalars_[i]) return false;
    }
    for (const Other& wanted : part.others_) {
        auto mine = place(others_, wanted);
        if (!standsAt(others_, mine, wanted) || !onSameType(Contains(), *mine, wanted)) return false;
    }
    return true;
}

Resources& Resources::operator+=(const Resources& part) {
    for (std::size_t i = 0; i < kScalars; ++i) scalars_[i] = addSaturating(scalars_[i], part.scalars_[i]);
    for (const Other& more : part.others_) {
        auto mine = place(others_, more);
        if (standsAt(others_, mine, more)) {
            onSameType(Add(), *mine, more);
        } else {
            others_.insert(mine, more);
        }
    }
    return *this;
}

absl::Status Resources::subtract(const Resources& part) {
    if (!contains(part)) return absl::FailedPreconditionError(shortfall(part));
    for (std::size_t i = 0; i < kScalars; ++i) scalars_[i] -= part.scalars_[i];
    for (const Other& less : part.others_) {
        auto mine = place(others_, less);
        onSameType(Subtract(), *mine, less);
        if (isNothing(*mine)) others_.erase(mine);
    }
    return absl::OkStatus();
}

std::uint32_t Resources::timesContained(const Resources& shape, std::uint32_t limit) const {
    std::int64_t times = limit;
    for (std::size_t i = 0; i < kScalars; ++i) {
        if (shape.scalars_[i] > 0) times = std::min(times, scalars_[i] / shape.scalars_[i]);
    }
    for (const Other& wanted : shape.others_) {
        auto mine = place(others_, wanted);
        if (!standsAt(others_, mine, wanted) || !onSameType(Contains(), *mine, wanted)) return 0;
        if (const Milli* amount = std::get_if<Milli>(&wanted.value)) {
            times = std::min(times, std::get<Milli>(mine->value).count / amount->count);
        } else {
            times = std::min<std::int64_t>(times, 1);
        }
    }
    return static_cast<std::uint32_t>(std::max<std::int64_t>(times, 0));
}

Resources Resources::times(std::uint32_t count) const {
    if (count == 0) return {};
    Resources product = *this;
    for (std::int64_t& scalar : product.scalars_) scalar = timesSaturating(scalar, count);
    for (Other& other : product.others_) {
        if (Milli* amount = std::get_if<Milli>(&other.value)) amount->count = timesSaturating(amount->count, count);
    }
    return product;
}

std::string Resources::shortfall(const Resources& shape) const {
    std::vector<std::string> lacks;
    for (std::size_t i = 0; i < kScalars; ++i) {
        if (scalars_[i] >= shape.scalars_[i]) continue;
        lacks.push_back(concat("needs ", kScalarNames[i], " ", stoa::toString(Milli{shape.scalars_[i]}), ", has ",
                               stoa::toString(Milli{scalars_[i]})));
    }
    for (const Other& wanted : shape.others_) {
        auto mine = place(others_, wanted);
        const bool there = standsAt(others_, mine, wanted);
        if (there && onSameType(Contains(), *mine, wanted)) continue;
        lacks.push_back(
            concat("needs ", wanted.name, " ", valueText(wanted), ", has ", there ? valueText(*mine) : "none"));
    }
    return absl::StrJoin(lacks, "; ");
}

} // namespace stoa
