#include "protocol/leader/master_info.h"

#include "protocol/host_port.h"
#include "protocol/strings.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <arpa/inet.h>

namespace stoa {

namespace {

using Json = rapidjson::Value;

std::string address(const std::string& host, std::uint16_t port) { return port == 0 ? "" : hostAndPort(host, port); }

const Json* member(const Json& object, const char* key) {
    if (!object.IsObject()) return nullptr;
    auto found = object.FindMember(key);
    return found == object.MemberEnd() ? nullptr : &found->value;
}

std::string textOf(const Json& object, const char* key) {
    const Json* value = member(object, key);
    return value != nullptr && value->IsString() ? std::string(value->GetString(), value->GetStringLength())
                                                 : std::string();
}

std::uint64_t numberOf(const Json& object, const char* key) {
    const Json* value = member(object, key);
    return value != nullptr && value->IsUint64() ? value->GetUint64() : 0;
}

std::uint16_t portOf(const Json& object, const char* key) {
    const std::uint64_t port = numberOf(object, key);
    return port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

} // namespace

std::string MasterInfo::httpAddress() const { return address(host, http_port); }

std::string MasterInfo::wireAddress() const { return address(host, wire_port); }

std::string toJson(const MasterInfo& master) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
    const auto text = [&](const char* key, std::string_view value) {
        out.Key(key);
        out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    const auto number = [&](const char* key, std::uint64_t value) {
        out.Key(key);
        out.Uint64(value);
    };
    in_addr ip{};
    if (::inet_pton(AF_INET, master.host.c_str(), &ip) != 1) ip.s_addr = 0;

    out.StartObject();
    out.Key("address");
    out.StartObject();
    text("hostname", master.hostname);
    text("ip", master.host);
    number("port", master.http_port);
    out.EndObject();
    text("hostname", master.hostname);
    text("id", master.id);
    number("ip", ip.s_addr);
    text("pid", concat("master@", master.httpAddress()));
    number("port", master.http_port);
    out.Key("stoa");
    out.StartObject();
    number("epoch", master.epoch);
    number("wire_port", master.wire_port);
    out.EndObject();
    text("version", master.version);
    out.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

absl::StatusOr<MasterInfo> masterInfoFromJson(std::string_view text) {
    rapidjson::Document json;
    json.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (json.HasParseError() || !json.IsObject()) {
        return invalid("a master's entry in ZooKeeper is no JSON object: ", text.substr(0, 100));
    }
    MasterInfo master;
    master.id = textOf(json, "id");
    master.hostname = textOf(json, "hostname");
    master.version = textOf(json, "version");
    if (const Json* address = member(json, "address")) {
        master.host = textOf(*address, "ip");
        if (master.host.empty()) master.host = textOf(*address, "hostname");
        master.http_port = portOf(*address, "port");
    }
    if (master.host.empty()) master.host = master.hostname;
    if (master.http_port == 0) master.http_port = portOf(json, "port");
    if (const Json* ours = member(json, "stoa")) {
        master.epoch = numberOf(*ours, "epoch");
        master.wire_port = portOf(*ours, "wire_port");
    }
    if (master.host.empty() || master.http_port == 0) {
        return invalid("a master's entry in ZooKeeper says no address: ", text.substr(0, 100));
    }
    return master;
}

} // namespace stoa
