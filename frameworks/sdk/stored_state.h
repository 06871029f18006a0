// A framework's id and state in a file (protocol/store), for PluginRun: loaded whole, each write durable before it
// returns. Used by the driver's thread, and by whoever made it before and after that.
#pragma once

#include "frameworks/sdk/framework_state.h"
#include "protocol/ids.h"
#include "protocol/store/store.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stoa::sdk {

class StoredState : public FrameworkState {
public:
    // `directory` exists. The errors are the store's: damaged, in use, of another kind, by the file's name.
    static absl::StatusOr<std::unique_ptr<StoredState>> open(const std::string& directory);

    absl::Status write(std::vector<Change> changes) override;

    const FrameworkId& id() const { return id_; } // empty: none is kept
    absl::Status keepId(const FrameworkId& id);
    // Id and state.
    absl::Status forget();

    // Called when a write failed; the file is what it was before.
    void onFailure(std::function<void(const absl::Status&)> call) { on_failure_ = std::move(call); }
    // Not OK: a write failed.
    const absl::Status& failure() const { return failure_; }

private:
    explicit StoredState(std::unique_ptr<Store> store);
    absl::Status commit(std::vector<Store::Change> changes);

    std::unique_ptr<Store> store_;
    std::uint64_t writes_ = 0;
    FrameworkId id_;
    absl::Status failure_;
    std::function<void(const absl::Status&)> on_failure_;
};

} // namespace stoa::sdk
