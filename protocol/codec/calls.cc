#include "protocol/codec/check.h"
#include "protocol/codec/compact.h"
#include "protocol/codec/scheduler.h"
#include "protocol/codec/v1.h"

#include <algorithm>

namespace stoa::codec {
namespace {

using Wire = schema::Call;
using Type = schema::Call::Type;
using Operation = schema::Offer::Operation;
using Operator = schema::Constraint::Operator;

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

void writeTexts(const std::vector<std::string>& values, capnp::List<capnp::Text>::Builder out) {
    for (std::size_t i = 0; i < values.size(); ++i) out.set(count(i), asText(values[i]));
}

// A filter that says nothing, or something negative, is the default.
Duration readRefuse(schema::Filters::Reader in) {
    if (!in.getRefuseSeconds().isValue() || in.getRefuseSeconds().getValue() < 0) return Filters::kDefaultRefuse;
    return std::min<Duration>(Duration(in.getRefuseSeconds().getValue()), Filters::kLongestRefuse);
}

constexpr std::array<Operator, 4> kOperators = {Operator::EQUALS, Operator::NOT_EQUALS, Operator::EXISTS,
                                                Operator::NOT_EXISTS};

void writeDemand(const Demand& demand, schema::Demand::Builder out) {
    out.setName(asText(demand.name));
    out.setRole(asText(demand.role));
    out.setCount(demand.count);
    writeResources(demand.shape, {}, out.initResources(count(wireResourceCount(demand.shape))));
    auto constraints = out.initConstraints(count(demand.constraints.size()));
    for (std::size_t i = 0; i < demand.constraints.size(); ++i) {
        const Constraint& from = demand.constraints[i];
        auto to = constraints[count(i)];
        to.setAttribute(asText(from.attribute));
        to.setOperator(kOperators[static_cast<std::size_t>(from.op)]);
        setUnlessEmpty(from.value, [&](auto value) { to.setValue(value); });
    }
    if (demand.gang) out.initGang().setMostPerAgent(demand.gang->most_per_agent);
}

Demand readDemand(schema::Demand::Reader in) {
    Demand demand;
    demand.name = checkedId(view(in.getName()), "demands.name");
    if (in.hasRole()) demand.role = checkedRole(view(in.getRole()), "demands.role");
    demand.shape = readResources(in.getResources());
    demand.count = in.getCount();
    checkLength(in.getConstraints().size(), kMaxListLength, "demands.constraints");
    for (const auto from : in.getConstraints()) {
        const auto found = std::find(kOperators.begin(), kOperators.end(), from.getOperator());
        if (found == kOperators.end()) malformed("demands.constraints.operator", "is not known");
        demand.constraints.push_back({checkedId(view(from.getAttribute()), "demands.constraints.attribute"),
                                      static_cast<Constraint::Operator>(found - kOperators.begin()),
                                      checkedName(view(from.getValue()), "demands.constraints.value")});
    }
    if (in.hasGang()) demand.gang = Gang{in.getGang().getMostPerAgent()};
    return demand;
}

struct Writer {
    Wire::Builder out;

    void operator()(const call::Subscribe& call) {
        out.setType(Type::SUBSCRIBE);
        auto to = out.initSubscribe();
        writeFrameworkInfo(call.info, to.initFrameworkInfo());
        writeTexts(call.suppressed_roles, to.initSuppressedRoles(count(call.suppressed_roles.size())));
    }
    void operator()(const call::Accept& call) {
        out.setType(Type::ACCEPT);
        auto to = out.initAccept();
        writeIds(call.offers, to.initOfferIds(count(call.offers.size())));
        to.initFilters().getRefuseSeconds().setValue(call.filters.refuse.count());
        auto operation = to.initOperations(1)[0];
        operation.setType(Operation::Type::LAUNCH);
        auto tasks = operation.initLaunch().initTaskInfos(count(call.launches.size()));
        for (std::size_t i = 0; i < call.launches.size(); ++i) writeTaskInfo(call.launches[i], tasks[count(i)]);
    }
    void operator()(const call::Decline& call) {
        out.setType(Type::DECLINE);
        auto to = out.initDecline();
        writeIds(call.offers, to.initOfferIds(count(call.offers.size())));
        to.initFilters().getRefuseSeconds().setValue(call.filters.refuse.count());
    }
    void operator()(const call::Revive& call) {
        out.setType(Type::REVIVE);
        writeTexts(call.roles, out.initRevive().initRoles(count(call.roles.size())));
    }
    void operator()(const call::Suppress& call) {
        out.setType(Type::SUPPRESS);
        writeTexts(call.roles, out.initSuppress().initRoles(count(call.roles.size())));
    }
    void operator()(const call::SetDemands& call) {
        out.setType(Type::SET_DEMANDS);
        auto demands = out.initSetDemands().initDemands(count(call.demands.size()));
        for (std::size_t i = 0; i < call.demands.size(); ++i) writeDemand(call.demands[i], demands[count(i)]);
    }
    void operator()(const call::Kill& call) {
        out.setType(Type::KILL);
        auto to = out.initKill();
        to.setTaskId(asText(call.task.value()));
        setUnlessEmpty(call.agent.value(), [&](auto value) { to.setAgentId(value); });
        if (call.grace) to.initKillPolicy().getGracePeriod().setValue(call.grace->count());
    }
    void operator()(const call::Acknowledge& call) {
        out.setType(Type::ACKNOWLEDGE);
        auto to = out.initAcknowledge();
        to.setAgentId(asText(call.agent.value()));
        to.setTaskId(asText(call.task.value()));
        to.setUuid(kj::arrayPtr(call.uuid.data(), call.uuid.size()));
    }
    void operator()(const call::Reconcile& call) {
        out.setType(Type::RECONCILE);
        auto tasks = out.initReconcile().initTasks(count(call.tasks.size()));
        for (std::size_t i = 0; i < call.tasks.size(); ++i) {
            auto to = tasks[count(i)];
            to.setTaskId(asText(call.tasks[i].task.value()));
            setUnlessEmpty(call.tasks[i].agent.value(), [&](auto value) { to.setAgentId(value); });
        }
    }
    void operator()(const call::Message& call) {
        out.setType(Type::MESSAGE);
        auto to = out.initMessage();
        to.setAgentId(asText(call.agent.value()));
        to.setExecutorId(asText(call.executor.value()));
        to.setData(asData(call.data));
    }
    void operator()(const call::Shutdown& call) {
        out.setType(Type::SHUTDOWN);
        auto to = out.initShutdown();
        to.setExecutorId(asText(call.executor.value()));
        to.setAgentId(asText(call.agent.value()));
    }
    void operator()(const call::Teardown&) { out.setType(Type::TEARDOWN); }
    void operator()(const call::UpdateFramework& call) {
        out.setType(Type::UPDATE_FRAMEWORK);
        auto to = out.initUpdateFramework();
        writeFrameworkInfo(call.info, to.initFrameworkInfo());
        writeTexts(call.suppressed_roles, to.initSuppressedRoles(count(call.suppressed_roles.size())));
    }
};

void require(bool present, std::string_view field) {
    if (!present) malformed(field, "missing");
}

[[noreturn]] void unserved(std::string_view what) {
    throw Malformed(concat(what, " is not served"), absl::StatusCode::kUnimplemented);
}

std::vector<std::string> readAllRoles(capnp::List<capnp::Text>::Reader in) { return readRoles(in, "roles"); }

call::Accept readAccept(Wire::Accept::Reader in) {
    call::Accept accept;
    accept.offers = readOfferIds(in.getOfferIds());
    accept.filters.refuse = readRefuse(in.getFilters());
    for (const auto operation : in.getOperations()) {
        switch (operation.getType()) {
        case Operation::Type::LAUNCH: {
            require(operation.hasLaunch(), "accept.operations.launch");
            const auto tasks = operation.getLaunch().getTaskInfos();
            accept.launches.reserve(accept.launches.size() + tasks.size());
            for (const auto task : tasks) accept.launches.push_back(readTaskInfo(task));
            break;
        }
        case Operation::Type::UNSET: malformed("accept.operations.type", "missing or not known");
        default: unserved("an operation other than LAUNCH");
        }
    }
    return accept;
}

// What is well-formed and yet no framework is told apart from what is malformed: a subscriber hears it as an event.
call::Subscribe readSubscribe(Wire::Subscribe::Reader in) {
    require(in.hasFrameworkInfo(), "subscribe.framework_info");
    try {
        return {readFrameworkInfo(in.getFrameworkInfo()), readAllRoles(in.getSuppressedRoles())};
    } catch (const Malformed& malformed) {
        throw Malformed(malformed.what(), absl::StatusCode::kFailedPrecondition);
    }
}

call::Reconcile readReconcile(Wire::Reconcile::Reader in) {
    call::Reconcile reconcile;
    reconcile.tasks.reserve(in.getTasks().size());
    for (const auto task : in.getTasks()) {
        reconcile.tasks.push_back({id<TaskId>(task.getTaskId(), "reconcile.tasks.task_id"),
                                   optionalId<AgentId>(task.getAgentId(), "reconcile.tasks.agent_id")});
    }
    return reconcile;
}

Call readCallOf(Wire::Reader in) {
    switch (in.getType()) {
    case Type::SUBSCRIBE: return readSubscribe(in.getSubscribe());
    case Type::UPDATE_FRAMEWORK: {
        const auto from = in.getUpdateFramework();
        require(from.hasFrameworkInfo(), "update_framework.framework_info");
        return call::UpdateFramework{readFrameworkInfo(from.getFrameworkInfo()),
                                     readAllRoles(from.getSuppressedRoles())};
    }
    case Type::TEARDOWN: return call::Teardown{};
    case Type::ACCEPT: require(in.hasAccept(), "accept"); return readAccept(in.getAccept());
    case Type::DECLINE:
        require(in.hasDecline(), "decline");
        return call::Decline{readOfferIds(in.getDecline().getOfferIds()), {readRefuse(in.getDecline().getFilters())}};
    case Type::REVIVE: return call::Revive{readAllRoles(in.getRevive().getRoles())};
    case Type::SUPPRESS: return call::Suppress{readAllRoles(in.getSuppress().getRoles())};
    case Type::SET_DEMANDS: {
        require(in.hasSetDemands(), "set_demands");
        const auto demands = in.getSetDemands().getDemands();
        checkLength(demands.size(), kMaxListLength, "set_demands.demands");
        call::SetDemands result;
        for (const auto demand : demands) result.demands.push_back(readDemand(demand));
        return result;
    }
    case Type::KILL: {
        require(in.hasKill(), "kill");
        const auto from = in.getKill();
        call::Kill kill{id<TaskId>(from.getTaskId(), "kill.task_id"),
                        optionalId<AgentId>(from.getAgentId(), "kill.agent_id"), std::nullopt};
        const auto grace = from.getKillPolicy().getGracePeriod();
        if (grace.isValue()) kill.grace = checkedDuration(grace.getValue(), "kill.kill_policy.grace_period");
        return kill;
    }
    case Type::ACKNOWLEDGE: {
        require(in.hasAcknowledge(), "acknowledge");
        const auto from = in.getAcknowledge();
        return call::Acknowledge{id<AgentId>(from.getAgentId(), "acknowledge.agent_id"),
                                 id<TaskId>(from.getTaskId(), "acknowledge.task_id"),
                                 checkedUuid(view(from.getUuid()), "acknowledge.uuid")};
    }
    case Type::RECONCILE: return readReconcile(in.getReconcile());
    case Type::MESSAGE: {
        require(in.hasMessage(), "message");
        const auto from = in.getMessage();
        return call::Message{id<AgentId>(from.getAgentId(), "message.agent_id"),
                             id<ExecutorId>(from.getExecutorId(), "message.executor_id"),
                             checkedData(view(from.getData()), "message.data")};
    }
    case Type::SHUTDOWN: {
        require(in.hasShutdown(), "shutdown");
        const auto from = in.getShutdown();
        return call::Shutdown{id<AgentId>(from.getAgentId(), "shutdown.agent_id"),
                              id<ExecutorId>(from.getExecutorId(), "shutdown.executor_id")};
    }
    case Type::UNSET: malformed("type", "missing or not known");
    case Type::ACCEPT_INVERSE_OFFERS:
    case Type::DECLINE_INVERSE_OFFERS:
    case Type::ACKNOWLEDGE_OPERATION_STATUS:
    case Type::RECONCILE_OPERATIONS:
    case Type::REQUEST:
    case Type::UNKNOWN: break;
    }
    unserved("this type of call");
}

} // namespace

void writeCall(const AddressedCall& call, Wire::Builder out) {
    setUnlessEmpty(call.framework.value(), [&](auto value) { out.setFrameworkId(value); });
    std::visit(Writer{out}, call.call);
}

AddressedCall readCall(Wire::Reader in) {
    AddressedCall call;
    call.framework = optionalId<FrameworkId>(in.getFrameworkId(), "framework_id");
    call.call = readCallOf(in);
    if (call.framework.empty() && !std::holds_alternative<call::Subscribe>(call.call)) {
        malformed("framework_id", "missing");
    }
    return call;
}

} // namespace stoa::codec
