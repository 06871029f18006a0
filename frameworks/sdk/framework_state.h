// What a framework must not forget, as keys and values: which tasks it has launched, how far it has come. Whoever runs
// the scheduler keeps it: `stoa framework run` in a file that the next run finds, the test kit in memory that outlives
// a crash of the scheduler.
//
//   if (absl::Status kept = state.put("launched", "7"); !kept.ok()) …   // on the disk when put() returns
//   std::optional<std::string> launched = state.get("launched");
//
// Write down first, then say: a task whose id was not written down before accept() is unknown after a crash. What is
// kept belongs to the framework's id and is forgotten with it, when the framework has torn itself down.
//
// Called from the driver's thread, and by the scheduler's constructor before that. Reading is from memory; a write waits
// for the disk, so what belongs together is one write().
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::sdk {

class FrameworkState {
public:
    struct Change {
        std::string key;
        std::optional<std::string> value; // absent: erases
    };

    virtual ~FrameworkState() = default;

    // All of the changes, or none. Not OK: the disk refused, nothing was changed, and nothing will be any more; the
    // driver ends.
    virtual absl::Status write(std::vector<Change> changes) = 0;
    absl::Status put(std::string key, std::string value) { return write({{std::move(key), std::move(value)}}); }
    absl::Status erase(std::string key) { return write({{std::move(key), std::nullopt}}); }

    std::optional<std::string> get(const std::string& key) const {
        const auto found = all_.find(key);
        return found == all_.end() ? std::nullopt : std::optional(found->second);
    }
    // Those whose keys begin with `prefix`, in the order of keys.
    std::map<std::string, std::string> list(std::string_view prefix = "") const {
        std::map<std::string, std::string> found;
        for (auto at = all_.lower_bound(std::string(prefix)); at != all_.end() && at->first.starts_with(prefix); ++at) {
            found.insert(*at);
        }
        return found;
    }

protected:
    void apply(std::vector<Change> changes) {
        for (Change& change : changes) {
            if (change.value) {
                all_[change.key] = *std::move(change.value);
            } else {
                all_.erase(change.key);
            }
        }
    }

    std::map<std::string, std::string> all_;
};

} // namespace stoa::sdk
