// The flags of a framework plug-in: variables with their defaults, set from `--name=value`, and told by --help.
//
//   struct Options {
//       int tasks = 3;
//       void add(sdk::Flags& flags) { flags.add("tasks", tasks, "how many tasks to run"); }
//   };
//
// `--name value` does as well; a bool is set by `--name` alone and unset by `--name=false`; a list takes its flag more
// than once. The variables outlive the Flags, which read and write them only in parse() and usage(). Not for threads.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stoa::sdk {

class Flags {
public:
    using Variable =
        std::variant<bool*, int*, std::uint32_t*, std::int64_t*, double*, std::string*, std::vector<std::string>*>;

    template <class T>
    void add(std::string name, T& variable, std::string help) {
        flags_.push_back({std::move(name), &variable, std::move(help)});
    }

    // InvalidArgument names the flag, the value and what would do.
    absl::Status parse(const std::vector<std::string>& arguments);
    // A line each: "  --tasks=3    how many tasks to run".
    std::string usage() const;

private:
    struct Flag {
        std::string name;
        Variable variable;
        std::string help;
    };
    absl::Status set(const Flag& flag, std::string_view value);

    std::vector<Flag> flags_;
};

} // namespace stoa::sdk
