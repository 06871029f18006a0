#include "frameworks/sdk/scheduler_face.h"

#include <type_traits>
#include <variant>

namespace stoa::sdk {

FrameworkInfo frameworkInfo(const DriverOptions& options) {
    FrameworkInfo info;
    info.name = options.name;
    info.user = options.user;
    info.id = options.id;
    info.roles = options.roles;
    info.webui_url = options.webui_url;
    info.labels = options.labels;
    info.failover_timeout = options.failover_timeout;
    info.checkpoint = true;
    return info;
}

void tellScheduler(Scheduler& scheduler, Driver& driver, const Told& told) {
    std::visit(
        [&](const auto& what) {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, event::Subscribed>) {
                scheduler.subscribed(driver, what);
            } else if constexpr (std::is_same_v<What, Disconnected>) {
                scheduler.disconnected(driver, what.why);
            } else if constexpr (std::is_same_v<What, event::Offers>) {
                scheduler.offers(driver, what.offers);
            } else if constexpr (std::is_same_v<What, event::Rescind>) {
                scheduler.rescinded(driver, what.offer);
            } else if constexpr (std::is_same_v<What, event::Update>) {
                scheduler.update(driver, what.status);
            } else if constexpr (std::is_same_v<What, event::Message>) {
                scheduler.message(driver, what);
            } else if constexpr (std::is_same_v<What, event::Failure>) {
                scheduler.failure(driver, what);
            } else {
                scheduler.error(driver, what.message);
            }
        },
        told);
}

} // namespace stoa::sdk
