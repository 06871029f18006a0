#include "protocol/codec/check.h"
#include "protocol/codec/compact.h"
#include "protocol/codec/scheduler.h"
#include "protocol/codec/v1.h"
#include "protocol/version.h"

#include <arpa/inet.h>

#include <cstring>

namespace stoa::codec {
namespace {

using Wire = schema::Event;
using Type = schema::Event::Type;

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

void require(bool present, std::string_view field) {
    if (!present) malformed(field, "missing");
}

// The v1 API has the address twice: as text, and as an integer in network order that old clients read.
std::uint32_t networkOrder(const std::string& host) {
    in_addr parsed{};
    return inet_pton(AF_INET, host.c_str(), &parsed) == 1 ? parsed.s_addr : 0;
}

void writeMaster(const event::Subscribed& event, schema::MasterInfo::Builder out) {
    out.setId(asText(event.master_id));
    out.setIp(networkOrder(event.master.host));
    out.setPort(event.master.port);
    out.setPid(asText(concat("master@", event.master.host, ":", event.master.port)));
    out.setHostname(asText(event.master.host));
    writeAddress(event.master, out.initAddress());
    out.setVersion(kVersion);
    out.initCapabilities(1).set(0, schema::MasterInfo::Capability::AGENT_UPDATE);
}

void writeOffer(const Offer& offer, schema::Offer::Builder out, Style style) {
    out.setId(asText(offer.id.value()));
    out.setFrameworkId(asText(offer.framework.value()));
    out.setAgentId(asText(offer.agent.value()));
    out.setHostname(asText(offer.hostname));
    auto url = out.initUrl();
    url.setScheme("http");
    writeAddress(offer.address, url.initAddress());
    url.setPath("");
    const std::string role = style.multi_role ? offer.role : std::string();
    writeResources(offer.resources, role, out.initResources(count(wireResourceCount(offer.resources))),
                   style.old_reservations);
    writeAttributes(offer.attributes, out.initAttributes(count(offer.attributes.size())));
    setUnlessEmpty(role, [&](auto value) { out.setAllocationInfo(value); });
    if (!offer.executors.empty()) {
        auto executors = out.initExecutorIds(count(offer.executors.size()));
        for (std::size_t i = 0; i < offer.executors.size(); ++i) {
            executors.set(count(i), asText(offer.executors[i].value()));
        }
    }
    if (offer.demand.empty()) return;
    auto match = out.initDemand();
    match.setName(asText(offer.demand));
    match.setCount(offer.count);
    setUnlessEmpty(offer.gang.value(), [&](auto value) { match.setGang(value); });
}

Offer readOffer(schema::Offer::Reader in) {
    Offer offer;
    offer.id = id<OfferId>(in.getId(), "offers.id");
    offer.framework = id<FrameworkId>(in.getFrameworkId(), "offers.framework_id");
    offer.agent = id<AgentId>(in.getAgentId(), "offers.agent_id");
    offer.hostname = checkedName(view(in.getHostname()), "offers.hostname");
    if (in.hasUrl()) offer.address = readAddress(in.getUrl().getAddress());
    if (in.hasAllocationInfo()) offer.role = checkedRole(view(in.getAllocationInfo()), "offers.allocation_info.role");
    offer.resources = readResources(in.getResources());
    offer.attributes = readAttributes(in.getAttributes());
    for (const auto executor : in.getExecutorIds()) {
        offer.executors.push_back(id<ExecutorId>(executor, "offers.executor_ids"));
    }
    if (in.hasDemand()) {
        offer.demand = checkedId(view(in.getDemand().getName()), "offers.demand.name");
        offer.count = in.getDemand().getCount();
        if (in.getDemand().hasGang()) offer.gang = id<OfferId>(in.getDemand().getGang(), "offers.demand.gang");
    }
    return offer;
}

struct Writer {
    Wire::Builder out;
    Style style;

    void operator()(const event::Subscribed& event) {
        out.setType(Type::SUBSCRIBED);
        auto to = out.initSubscribed();
        to.setFrameworkId(asText(event.framework.value()));
        to.getHeartbeatIntervalSeconds().setValue(event.heartbeat_interval.count());
        writeMaster(event, to.initMasterInfo());
        to.getEpoch().setValue(event.epoch);
    }
    void operator()(const event::Offers& event) {
        out.setType(Type::OFFERS);
        auto offers = out.initOffers().initOffers(count(event.offers.size()));
        for (std::size_t i = 0; i < event.offers.size(); ++i) writeOffer(event.offers[i], offers[count(i)], style);
    }
    void operator()(const event::Rescind& event) {
        out.setType(Type::RESCIND);
        out.initRescind().setOfferId(asText(event.offer.value()));
    }
    void operator()(const event::Update& event) {
        out.setType(Type::UPDATE);
        auto to = out.initUpdate().initStatus();
        writeTaskStatus(event.status, to);
        const bool of_agent = event.status.source != StatusSource::kMaster;
        if (style.command_executor && of_agent && event.status.executor.empty()) {
            to.setExecutorId(asText(event.status.task.value()));
        }
    }
    void operator()(const event::Message& event) {
        out.setType(Type::MESSAGE);
        auto to = out.initMessage();
        to.setAgentId(asText(event.agent.value()));
        to.setExecutorId(asText(event.executor.value()));
        to.setData(asData(event.data));
    }
    void operator()(const event::Failure& event) {
        out.setType(Type::FAILURE);
        auto to = out.initFailure();
        setUnlessEmpty(event.agent.value(), [&](auto value) { to.setAgentId(value); });
        setUnlessEmpty(event.executor.value(), [&](auto value) { to.setExecutorId(value); });
        if (event.wait_status) to.getStatus().setValue(*event.wait_status);
    }
    void operator()(const event::Error& event) {
        out.setType(Type::ERROR);
        out.initError().setMessage(asText(event.message));
    }
    void operator()(const event::Heartbeat&) { out.setType(Type::HEARTBEAT); }
};

} // namespace

void writeEvent(const Event& event, Wire::Builder out, Style style) { std::visit(Writer{out, style}, event); }

Event readEvent(Wire::Reader in) {
    switch (in.getType()) {
    case Type::SUBSCRIBED: {
        require(in.hasSubscribed(), "subscribed");
        const auto from = in.getSubscribed();
        event::Subscribed event;
        event.framework = id<FrameworkId>(from.getFrameworkId(), "subscribed.framework_id");
        const auto interval = from.getHeartbeatIntervalSeconds();
        if (interval.isValue()) event.heartbeat_interval = checkedDuration(interval.getValue(), "heartbeat interval");
        if (from.hasMasterInfo()) {
            event.master_id = checkedName(view(from.getMasterInfo().getId()), "subscribed.master_info.id");
            event.master = readAddress(from.getMasterInfo().getAddress());
        }
        if (from.getEpoch().isValue()) event.epoch = from.getEpoch().getValue();
        return event;
    }
    case Type::OFFERS: {
        event::Offers event;
        event.offers.reserve(in.getOffers().getOffers().size());
        for (const auto offer : in.getOffers().getOffers()) event.offers.push_back(readOffer(offer));
        return event;
    }
    case Type::RESCIND:
        require(in.hasRescind(), "rescind");
        return event::Rescind{id<OfferId>(in.getRescind().getOfferId(), "rescind.offer_id")};
    case Type::UPDATE:
        require(in.hasUpdate(), "update");
        return event::Update{readTaskStatus(in.getUpdate().getStatus())};
    case Type::MESSAGE: {
        require(in.hasMessage(), "message");
        const auto from = in.getMessage();
        return event::Message{id<AgentId>(from.getAgentId(), "message.agent_id"),
                              id<ExecutorId>(from.getExecutorId(), "message.executor_id"),
                              checkedData(view(from.getData()), "message.data")};
    }
    case Type::FAILURE: {
        require(in.hasFailure(), "failure");
        const auto from = in.getFailure();
        event::Failure event{optionalId<AgentId>(from.getAgentId(), "failure.agent_id"),
                             optionalId<ExecutorId>(from.getExecutorId(), "failure.executor_id"), std::nullopt};
        if (from.getStatus().isValue()) event.wait_status = from.getStatus().getValue();
        return event;
    }
    case Type::ERROR: return event::Error{checkedText(view(in.getError().getMessage()), "error.message")};
    case Type::HEARTBEAT: return event::Heartbeat{};
    case Type::UNSET: malformed("type", "missing or not known");
    case Type::UNKNOWN:
    case Type::INVERSE_OFFERS:
    case Type::RESCIND_INVERSE_OFFER:
    case Type::UPDATE_OPERATION_STATUS: break;
    }
    throw Malformed("this type of event is not served", absl::StatusCode::kUnimplemented);
}

} // namespace stoa::codec
