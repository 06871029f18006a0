#include "tests/sim/trace.h"

#include "protocol/codec/framework_messages.h"

#include <absl/strings/str_cat.h>

#include <chrono>
#include <variant>

namespace stoa::sim {

namespace {

std::string show(const TaskStatus& status) {
    return absl::StrCat(status.task.value(), " ", std::string(name(status.state)), " (", status.message, ")");
}

struct ShowFromAgent {
    std::string operator()(const agent_says::Register& m) const {
        std::string text = absl::StrCat("Register ", m.info.id.value(), " tasks:");
        for (const AgentTask& task : m.tasks) {
            absl::StrAppend(&text, " ", task.framework.value(), "/", task.info.id.value(), "=",
                            std::string(name(task.state)));
        }
        return text;
    }
    std::string operator()(const agent_says::StatusUpdate& m) const {
        return absl::StrCat("StatusUpdate ", m.framework.value(), "/", show(m.status), " latest ",
                            std::string(name(m.latest)));
    }
    std::string operator()(const agent_says::ToFramework& m) const { return "ToFramework " + m.framework.value(); }
    std::string operator()(const agent_says::ExecutorEnded& m) const { return "ExecutorEnded " + m.executor.value(); }
    std::string operator()(const agent_says::Unregister&) const { return "Unregister"; }
};

struct ShowToAgent {
    std::string operator()(const master_says::Registered& m) const { return "Registered " + m.id.value(); }
    std::string operator()(const master_says::Refused& m) const { return "Refused " + m.reason; }
    std::string operator()(const master_says::Launch& m) const {
        return absl::StrCat("Launch ", m.framework.id.value(), "/", m.task.id.value(), " ",
                            m.task.resources.toString());
    }
    std::string operator()(const master_says::Kill& m) const {
        return absl::StrCat("Kill ", m.framework.value(), "/", m.task.value());
    }
    std::string operator()(const master_says::AcknowledgeUpdate& m) const {
        return absl::StrCat("Acknowledge ", m.framework.value(), "/", m.task.value());
    }
    std::string operator()(const master_says::ShutdownFramework& m) const {
        return "ShutdownFramework " + m.framework.value();
    }
    std::string operator()(const master_says::ToExecutor& m) const { return "ToExecutor " + m.executor.value(); }
    std::string operator()(const master_says::ShutdownExecutor& m) const {
        return "ShutdownExecutor " + m.executor.value();
    }
};

} // namespace

void Trace::line(const std::string& who, const std::string& what) const {
    if (!on()) return;
    const double seconds = std::chrono::duration<double>(queue_.now().time_since_epoch()).count();
    std::fprintf(file_, "%12.6f %-10s %s\n", seconds, who.c_str(), what.c_str());
}

std::string show(const TaskKey& key) { return absl::StrCat(key.framework.value(), "/", key.task.value()); }
std::string show(const FromAgent& message) { return std::visit(ShowFromAgent{}, message); }
std::string show(const ToAgent& message) { return std::visit(ShowToAgent{}, message); }
std::string show(const Call& call) { return toJson(AddressedCall{FrameworkId(), call}); }
std::string show(const Event& event) {
    if (const auto* update = std::get_if<event::Update>(&event)) return "update " + show(update->status);
    return toJson(event);
}

} // namespace stoa::sim
