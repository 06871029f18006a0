// The resource algebra: what a machine has, what an offer promises, what a task takes. A bundle holds the four
// scalars that are looked at millions of times a second (cpus, mem, disk, gpus) in an array, and anything else
// (ports, other scalars, ranges and sets by name) in a sorted list that is empty for most bundles.
//
// All arithmetic is on integer milli-units; a bundle never holds a negative amount, an empty range or an empty
// set, so equal amounts compare equal. Text form as in Mesos: "cpus:4;mem:2048;ports:[31000-32000]".
// A plain value without I/O, usable from any thread.
#pragma once

#include "protocol/units.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace stoa {

// Disjoint, ascending, non-adjacent closed intervals of unsigned numbers.
class Ranges {
public:
    struct Interval {
        std::uint64_t first = 0;
        std::uint64_t last = 0; // inclusive
        friend bool operator==(const Interval&, const Interval&) = default;
    };

    Ranges() = default;
    // Sorts and merges; an interval with last < first is refused.
    static absl::StatusOr<Ranges> of(std::vector<Interval> intervals);

    const std::vector<Interval>& intervals() const { return intervals_; }
    bool empty() const { return intervals_.empty(); }
    std::uint64_t size() const; // how many numbers; saturates
    bool contains(const Ranges& other) const;
    bool overlaps(const Ranges& other) const;
    void add(const Ranges& other);
    void subtract(const Ranges& other);
    // The lowest `count` numbers, or all when there are fewer.
    Ranges lowest(std::uint64_t count) const;
    friend bool operator==(const Ranges&, const Ranges&) = default;

private:
    std::vector<Interval> intervals_;
};

// Sorted, unique, non-empty names.
using NameSet = std::vector<std::string>;

class Resources {
public:
    enum Scalar : std::size_t { kCpus, kMem, kDisk, kGpus };
    static constexpr std::size_t kScalars = 4;
    using Scalars = std::array<std::int64_t, kScalars>; // milli-units
    static constexpr std::array<std::string_view, kScalars> kScalarNames = {"cpus", "mem", "disk", "gpus"};

    // Anything that isn't one of the four scalars.
    struct Other {
        std::string name;
        std::variant<Milli, Ranges, NameSet> value;
        friend bool operator==(const Other&, const Other&) = default;
    };

    Resources() = default;
    explicit Resources(const Scalars& scalars) : scalars_(scalars) {}
    static Resources cpusMem(double cpus, double mem_megabytes); // for tests and defaults

    // Parses the text form, or JSON (a list of {"name","type","scalar"|"ranges"|"set"}) when the text starts with
    // '['. The error names the piece that is wrong: `"cpus:abc": "abc" is not a number`.
    static absl::StatusOr<Resources> parse(std::string_view text);
    std::string toString() const;

    const Scalars& scalars() const { return scalars_; }
    Milli scalar(Scalar which) const { return {scalars_[which]}; }
    void setScalar(Scalar which, Milli value) { scalars_[which] = value.count; }
    const std::vector<Other>& others() const { return others_; }
    const Other* find(std::string_view name) const;
    // Adds under one name; an amount of another type under the same name, or a negative one, is refused.
    absl::Status add(Other other);

    bool empty() const;
    // True when every amount of `part` is within this bundle.
    bool contains(const Resources& part) const;
    Resources& operator+=(const Resources& part);
    // Precondition: contains(part). Names what is missing otherwise, and changes nothing.
    absl::Status subtract(const Resources& part);
    // How many times `shape` fits, at most `limit`. Ranges and sets count once.
    std::uint32_t timesContained(const Resources& shape, std::uint32_t limit) const;
    Resources times(std::uint32_t count) const; // scalars only; others must be empty for count > 1
    // In words, what `shape` lacks here: "needs mem 4096, has 2048"; empty when it fits.
    std::string shortfall(const Resources& shape) const;

    friend bool operator==(const Resources&, const Resources&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Resources& resources) {
        return out << resources.toString();
    }

private:
    Scalars scalars_{};
    std::vector<Other> others_; // sorted by name
};

// What an operator says about a machine: "rack:a;ssd:true;speed:2.5". Never consumed.
struct Attribute {
    std::string name;
    std::variant<Milli, Ranges, std::string> value;
    friend bool operator==(const Attribute&, const Attribute&) = default;
};
using Attributes = std::vector<Attribute>; // sorted by name

absl::StatusOr<Attributes> parseAttributes(std::string_view text);
std::string toString(const Attribute& attribute); // the value alone, as constraints compare it

// What a demand asks of an agent's attributes. A missing attribute satisfies only kNotEquals and kNotExists.
struct Constraint {
    enum class Operator : std::uint8_t { kEquals, kNotEquals, kExists, kNotExists };
    std::string attribute;
    Operator op = Operator::kEquals;
    std::string value; // as text; unused by kExists and kNotExists
    friend bool operator==(const Constraint&, const Constraint&) = default;
};

// Parses "rack=a", "rack!=a", "ssd", "!ssd".
absl::StatusOr<Constraint> parseConstraint(std::string_view text);
std::string toString(const Constraint& constraint);
bool satisfied(const Constraint& constraint, const Attributes& attributes);

} // namespace stoa
