#include "master/registry/record_codec.h"

#include "protocol/codec/compact.h"
#include "protocol/schema/records.capnp.h"

#include <cmath>

namespace stoa::master {
namespace {

using codec::asText;
using codec::id;
using codec::view;
using Wire = codec::compact::MasterRecord;

struct Writer {
    Wire::Builder out;

    void operator()(const AgentAdmitted& record) {
        auto to = out.initAgentAdmitted();
        codec::write(record.info, to.initInfo());
        codec::write(record.incarnation, to.initIncarnation());
        to.setDisowned(static_cast<std::uint8_t>(record.disowned));
    }
    void operator()(const AgentUnreachable& record) {
        out.setAgentUnreachable(asText(record.agent.value()));
        out.setUnreachableSinceNanos(record.since.nanos);
    }
    void operator()(const AgentRemoved& record) { out.setAgentRemoved(asText(record.agent.value())); }
    void operator()(const FrameworkStored& record) {
        auto to = out.initFrameworkStored();
        codec::write(record.info, to.initInfo());
        codec::setUnlessEmpty(record.principal, [&](auto value) { to.setPrincipal(value); });
    }
    void operator()(const FrameworkDeadline& record) {
        auto to = out.initFrameworkDeadline();
        to.setFramework(asText(record.framework.value()));
        to.setRemainingNanos(record.remaining.count());
    }
    void operator()(const FrameworkRemoved& record) { out.setFrameworkRemoved(asText(record.framework.value())); }
    void operator()(const WeightSet& record) {
        auto to = out.initWeightSet();
        to.setRole(asText(record.role));
        to.setWeight(record.weight);
    }
};

Record read(Wire::Reader in) {
    switch (in.which()) {
    case Wire::AGENT_ADMITTED: {
        const auto from = in.getAgentAdmitted();
        if (from.getDisowned() > static_cast<std::uint8_t>(Disowned::kAll)) {
            codec::malformed("disowned", "is not known to this version");
        }
        return AgentAdmitted{codec::read(from.getInfo()), codec::read(from.getIncarnation()),
                             static_cast<Disowned>(from.getDisowned())};
    }
    case Wire::AGENT_UNREACHABLE:
        return AgentUnreachable{id<AgentId>(in.getAgentUnreachable(), "agent id"),
                                WallTime{in.getUnreachableSinceNanos()}};
    case Wire::AGENT_REMOVED: return AgentRemoved{id<AgentId>(in.getAgentRemoved(), "agent id")};
    case Wire::FRAMEWORK_STORED: {
        const auto from = in.getFrameworkStored();
        return FrameworkStored{codec::read(from.getInfo()), codec::checkedName(view(from.getPrincipal()), "principal")};
    }
    case Wire::FRAMEWORK_DEADLINE: {
        const auto from = in.getFrameworkDeadline();
        return FrameworkDeadline{id<FrameworkId>(from.getFramework(), "framework id"),
                                 codec::checkedDuration(from.getRemainingNanos(), "remaining")};
    }
    case Wire::FRAMEWORK_REMOVED: return FrameworkRemoved{id<FrameworkId>(in.getFrameworkRemoved(), "framework id")};
    case Wire::WEIGHT_SET: {
        const auto from = in.getWeightSet();
        if (!std::isfinite(from.getWeight()) || from.getWeight() <= 0) codec::malformed("weight", "is not positive");
        return WeightSet{codec::checkedRole(view(from.getRole()), "role"), from.getWeight()};
    }
    }
    codec::malformed("kind", "is not known to this version");
}

} // namespace

std::string encodeRecord(const Record& record) {
    codec::FlatBuilder builder;
    std::visit(Writer{builder.root<Wire>()}, record);
    return builder.bytes();
}

absl::StatusOr<Record> decodeRecord(std::string_view bytes) {
    return codec::decodeGuarded("registry's record", [&]() -> Record {
        codec::FlatReader reader(bytes);
        return read(reader.root<Wire>());
    });
}

} // namespace stoa::master
