// What frameworks and their executors say to each other through the master: passed on if the other side is here, and
// dropped if not, as in Mesos. Whoever needs certainty asks for an answer.
#include "master/core/state.h"

namespace stoa::master {

void State::on(Step& at, Agent& agent, const agent_says::ToFramework& message) {
    ++counters.messages;
    if (const Framework* framework = frameworks.find(message.framework)) {
        tell(at, *framework, event::Message{agent.id(), message.executor, message.data}, agent.record);
    }
}

void State::on(Step& at, Framework& framework, const call::Message& call) {
    ++counters.messages;
    if (const Agent* agent = agents.find(call.agent)) {
        tell(at, *agent, master_says::ToExecutor{framework.id(), call.executor, call.data}, framework.record);
    }
}

void State::on(Step& at, Framework& framework, const call::Shutdown& call) {
    if (const Agent* agent = agents.find(call.agent)) {
        tell(at, *agent, master_says::ShutdownExecutor{framework.id(), call.executor}, framework.record);
    }
}

} // namespace stoa::master
