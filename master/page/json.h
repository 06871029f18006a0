// Lines of the page's event stream (/api/stoa/events): each a JSON object with a "type", and small, since a snapshot of
// 100,000 tasks is 100,000 of them.
//
//   hello      master {id, address, epoch, version, started}, masters [address], now, history [sample]
//   agent      id, hostname, address, state, since, registered, version, isolation, attributes, total, used, offered, tasks
//   agent_gone id
//   framework  id, name, user, roles, active, batch, since, registered, removed, hostname, webui_url, used, offered,
//              tasks, ended {state: n}
//   task       framework, id, name, agent, executor, state, resources,
//              statuses [[state, seconds, source, reason, message, wait status]]
//   sample     at: [seconds, cpus, cpus allocated, mem, mem allocated, running tasks]
//   live       the snapshot is whole; what follows are changes
//   beat       nothing new
//
// An object replaces the one of the same id. Times are seconds since 1970, amounts as in /state. Pure functions.
#pragma once

#include "master/read_model/state_json.h"

#include <array>
#include <deque>
#include <string>

namespace stoa::master::page {

using Sample = std::array<double, 6>;

std::string helloLine(const Identity& identity, const std::vector<std::string>& masters, WallTime now,
                      const std::deque<Sample>& history);
// {"leader": "host:port", "masters": [address]}; no leader: empty.
std::string mastersJson(const std::string& leader, const std::vector<std::string>& masters);
std::string agentLine(const AgentView& agent);
std::string agentGoneLine(const AgentId& agent);
std::string frameworkLine(const FrameworkView& framework);
std::string taskLine(const TaskView& task);
std::string sampleLine(const Sample& sample);

} // namespace stoa::master::page
