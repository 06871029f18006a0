#include "master/page/json.h"

#include "protocol/labels.h"
#include "protocol/strings.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace stoa::master::page {

namespace {

// One line under construction.
class Line {
public:
    explicit Line(std::string_view type) : out_(buffer_) {
        out_.StartObject();
        text("type", type);
    }
    std::string end() {
        out_.EndObject();
        std::string line(buffer_.GetString(), buffer_.GetSize());
        line += '\n';
        return line;
    }
    void key(std::string_view name) { out_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
    void string(std::string_view value) { out_.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); }
    void text(std::string_view name, std::string_view value) {
        key(name);
        string(value);
    }
    void number(std::string_view name, double value) {
        key(name);
        out_.Double(value);
    }
    void count(std::string_view name, std::uint64_t value) {
        key(name);
        out_.Uint64(value);
    }
    void flag(std::string_view name, bool value) {
        key(name);
        out_.Bool(value);
    }
    void resources(std::string_view name, const Resources& bundle);
    rapidjson::Writer<rapidjson::StringBuffer>& raw() { return out_; }

private:
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> out_;
};

double seconds(WallTime time) { return static_cast<double>(time.nanos) / 1e9; }

// Amounts of zero are left out; other things than scalars as the text that flags take.
void Line::resources(std::string_view name, const Resources& bundle) {
    key(name);
    out_.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (bundle.scalars()[i] != 0) {
            number(Resources::kScalarNames[i], static_cast<double>(bundle.scalars()[i]) / 1000);
        }
    }
    for (const Resources::Other& other : bundle.others()) {
        if (const auto* milli = std::get_if<Milli>(&other.value)) {
            number(other.name, static_cast<double>(milli->count) / 1000);
        } else if (const auto* intervals = std::get_if<Ranges>(&other.value)) {
            std::string listed;
            for (const Ranges::Interval& interval : intervals->intervals()) {
                listed += concat(listed.empty() ? "" : ", ", interval.first, "-", interval.last);
            }
            text(other.name, listed);
        } else {
            std::string listed;
            for (const std::string& one : std::get<NameSet>(other.value)) {
                listed += (listed.empty() ? "" : ", ") + one;
            }
            text(other.name, listed);
        }
    }
    out_.EndObject();
}

void sample(Line& line, const Sample& one) {
    line.raw().StartArray();
    for (double value : one) line.raw().Double(value);
    line.raw().EndArray();
}

std::string_view stateName(AgentChanged::State state) {
    switch (state) {
    case AgentChanged::State::kActive: return "active";
    case AgentChanged::State::kDisconnected: return "disconnected";
    case AgentChanged::State::kUnreachable: return "unreachable";
    case AgentChanged::State::kRecovered: return "recovered";
    }
    return "";
}

} // namespace

std::string helloLine(const Identity& identity, const std::vector<std::string>& masters, WallTime now,
                      const std::deque<Sample>& history) {
    Line line("hello");
    line.key("master");
    line.raw().StartObject();
    line.text("id", identity.id);
    line.text("address", concat(identity.address.host, ":", identity.address.port));
    line.count("epoch", identity.epoch);
    line.text("version", identity.version);
    line.number("started", seconds(identity.started));
    line.raw().EndObject();
    line.key("masters");
    line.raw().StartArray();
    for (const std::string& address : masters) line.string(address);
    line.raw().EndArray();
    line.number("now", seconds(now));
    line.key("history");
    line.raw().StartArray();
    for (const Sample& one : history) sample(line, one);
    line.raw().EndArray();
    return line.end();
}

std::string mastersJson(const std::string& leader, const std::vector<std::string>& masters) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
    out.StartObject();
    out.Key("leader");
    out.String(leader.c_str());
    out.Key("masters");
    out.StartArray();
    for (const std::string& address : masters) out.String(address.c_str());
    out.EndArray();
    out.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

std::string agentLine(const AgentView& agent) {
    Line line("agent");
    line.text("id", agent.info.id.value());
    line.text("hostname", agent.info.hostname);
    line.text("address", concat(agent.info.address.host, ":", agent.info.address.port));
    line.text("state", stateName(agent.state));
    line.number("since", seconds(agent.since));
    line.number("registered", seconds(agent.registered));
    line.text("version", agent.info.version);
    line.text("isolation", agent.info.isolation);
    std::string attributes;
    for (const Attribute& attribute : agent.info.attributes) {
        attributes += concat(attributes.empty() ? "" : ";", attribute.name, ":", toString(attribute));
    }
    line.text("attributes", attributes);
    line.resources("total", agent.info.resources);
    line.resources("used", agent.used);
    line.resources("offered", agent.offered);
    line.count("tasks", agent.tasks);
    return line.end();
}

std::string agentGoneLine(const AgentId& agent) {
    Line line("agent_gone");
    line.text("id", agent.value());
    return line.end();
}

std::string frameworkLine(const FrameworkView& framework) {
    Line line("framework");
    line.text("id", framework.info.id.value());
    line.text("name", framework.info.name);
    line.text("user", framework.info.user);
    line.key("roles");
    line.raw().StartArray();
    for (const std::string& role : framework.info.roles) line.string(role);
    line.raw().EndArray();
    line.flag("active", framework.active);
    line.flag("batch", framework.info.labels.contains(kBatchLabel));
    line.number("since", seconds(framework.since));
    line.number("registered", seconds(framework.registered));
    line.number("removed", seconds(framework.removed));
    line.text("hostname", framework.info.hostname);
    line.text("webui_url", framework.info.webui_url);
    line.resources("used", framework.used);
    line.resources("offered", framework.offered);
    line.count("tasks", framework.tasks);
    line.key("ended");
    line.raw().StartObject();
    for (const auto& [state, tasks] : framework.ended) line.count(name(state), tasks);
    line.raw().EndObject();
    return line.end();
}

std::string taskLine(const TaskView& task) {
    Line line("task");
    line.text("framework", task.framework.value());
    line.text("id", task.info.id.value());
    line.text("name", task.info.name);
    line.text("agent", task.info.agent.value());
    line.text("executor", task.info.executor.value());
    line.text("state", name(task.state));
    line.resources("resources", task.info.resources);
    line.key("statuses");
    line.raw().StartArray();
    for (const TaskStatus& status : task.statuses) {
        line.raw().StartArray();
        line.string(name(status.state));
        line.raw().Double(seconds(status.timestamp));
        line.string(name(status.source));
        line.string(status.reason == Reason::kNone ? std::string_view() : name(status.reason));
        line.string(status.message);
        if (status.outcome.wait_status && isTerminal(status.state)) {
            line.raw().Int(*status.outcome.wait_status);
        } else {
            line.raw().Null();
        }
        line.raw().EndArray();
    }
    line.raw().EndArray();
    return line.end();
}

std::string sampleLine(const Sample& one) {
    Line line("sample");
    line.key("at");
    sample(line, one);
    return line.end();
}

} // namespace stoa::master::page
