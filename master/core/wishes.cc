// What an operator may change, whoever's framework it is.
#include "master/core/state.h"

#include <absl/strings/str_cat.h>

namespace stoa::master {

absl::Status State::grant(Step& at, const TearDownFramework& wish) {
    Framework* framework = frameworks.find(wish.framework);
    if (framework == nullptr) {
        return absl::InvalidArgumentError(absl::StrCat("no framework has the id \"", wish.framework.value(), "\""));
    }
    tell(at, *framework, event::Error{"the framework was torn down by an operator"});
    remove(at, *framework, "torn down by an operator");
    return absl::OkStatus();
}

absl::Status State::grant(Step& at, const KillTask& wish) {
    Framework* framework = frameworks.find(wish.framework);
    if (framework == nullptr) {
        return absl::NotFoundError(absl::StrCat("no framework has the id \"", wish.framework.value(), "\""));
    }
    if (!tasks.contains(wish.framework, wish.task)) {
        return absl::NotFoundError(absl::StrCat("framework \"", wish.framework.value(), "\" has no task \"",
                                                wish.task.value(), "\" that runs"));
    }
    on(at, *framework, call::Kill{wish.task, AgentId(), std::nullopt});
    return absl::OkStatus();
}

} // namespace stoa::master
