// The inside of Master: its tables, and the handlers that change them. The handlers are told apart by subject, a file
// each (see the headings below); all of them read and write this one struct, so that a decision that touches an agent,
// its offers and its tasks is made in one place and seen whole.
//
// The rule for what is said: tell() and show() make an effect wait for the newest record about the agent and the
// framework that it concerns, so nobody learns of something that a restart would forget. Private to master/core.
#pragma once

#include "master/core/agents.h"
#include "master/core/executors.h"
#include "master/core/frameworks.h"
#include "master/core/master.h"
#include "master/core/offers.h"
#include "master/core/tasks.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::master {

// What a handler is given besides its message.
struct Step {
    Time now;
    WallTime wall;
    Output& out;
};

struct State {
    State(Options options, const Recovered& recovered, Time now, WallTime wall);

    Options options;
    Agents agents;
    Frameworks frameworks;
    Offers offers;
    Tasks tasks;
    Executors executors;
    allocator::Allocator allocator;
    Rng rng;
    Counters counters;
    RecordNumber appended = 0;
    std::uint64_t last_agent_id = 0; // of those that this leader made
    std::uint64_t last_framework_id = 0;
    std::uint64_t last_offer = 0;
    // Kills of tasks that no agent told of yet; at most options.max_early_kills.
    std::map<TaskKey, std::optional<Duration>> early_kills;
    // What the constructor had to say, until the first call that can say it.
    Output first_output;
    Time started;

    // ---- master.cc: what is due, and what is said
    void flushFirst(Output& out);
    void expire(Step& at);
    RecordNumber append(Step& at, Record record);
    void tell(Step& at, const Agent& agent, ToAgent message, RecordNumber also = 0);
    void tell(Step& at, const Framework& framework, Event event, RecordNumber also = 0);
    void close(Step& at, Peer peer, std::string why, RecordNumber after);
    void show(Step& at, const Agent& agent);
    void show(Step& at, const Framework& framework);
    // With the full status, or with what is known of it.
    void show(Step& at, const Task& task, const TaskStatus& status);
    void show(Step& at, Delta delta, RecordNumber waits_for);
    void peerGone(Step& at, Peer peer);

    // ---- registration.cc: agents
    void on(Step& at, Peer peer, const agent_says::Register& message);
    void on(Step& at, Agent& agent, const agent_says::Unregister& message);
    void refuse(Step& at, Peer peer, std::string reason);
    void sessionEnded(Step& at, Agent& agent);
    void giveUp(Step& at, Agent& agent);
    Time forgetAt(const Step& at, WallTime since) const;
    void forget(Step& at, Agent& agent);
    // It is in no table afterwards. The caller has told of it.
    void remove(Step& at, Agent& agent, const char* why);
    void compareTasks(Step& at, Agent& agent, const agent_says::Register& message, Reason missing);
    void compareTask(Step& at, Agent& agent, const AgentTask& told, const std::vector<FrameworkInfo>& infos);
    void adopt(Step& at, Agent& agent, const AgentTask& told, const std::vector<FrameworkInfo>& infos);
    void tellOfReturn(Step& at, const Agent& agent);
    bool holdAdopted(const Agent& agent, const allocator::Launch& task, bool removed,
                     const std::vector<FrameworkInfo>& infos);
    void tellOfAgentLost(Step& at, const Agent& agent, const std::vector<FrameworkId>& frameworks);

    // ---- disowned.cc: tasks that were told as ended while their agent was away
    bool disowns(const Agent& agent, const FrameworkId& framework, const std::vector<FrameworkInfo>& infos) const;
    // By the framework itself, or by what an agent tells of one that is gone.
    bool checkpoints(const FrameworkId& id, const std::vector<FrameworkInfo>& infos) const;
    // The agent lost its session; so its tasks of frameworks that don't checkpoint are lost.
    void disownUncheckpointed(Step& at, Agent& agent);
    void disown(Step& at, Task& task, Disowned why, Reason reason);
    void hearDisowned(Step& at, Task& task, const TaskStatus& status, TaskState latest);
    void settleDisowned(Step& at, Agent& agent);

    // ---- subscription.cc: frameworks
    void subscribe(Step& at, Peer peer, const FrameworkId& claimed, const call::Subscribe& call);
    absl::Status validateUpdate(const Framework& framework, const FrameworkInfo& info,
                                const std::vector<std::string>& suppressed) const;
    void update(Step& at, Framework& framework, const call::UpdateFramework& call, std::uint64_t request);
    void refuseFramework(Step& at, Peer peer, std::string reason);
    void sessionEnded(Step& at, Framework& framework);
    void remove(Step& at, Framework& framework, std::string_view why);
    void heartbeat(Step& at, Framework& framework);
    void noteDeadline(Step& at, Framework& framework);
    void awaitNote(const Step& at, Framework& framework);
    void on(Step& at, Framework& framework, const call::Teardown& call);

    // ---- offering.cc: offers, and what becomes of them
    void allocate(Step& at);
    void on(Step& at, Framework& framework, const call::Accept& call);
    void on(Step& at, Framework& framework, const call::Decline& call);
    void on(Step& at, Framework& framework, const call::Revive& call);
    void on(Step& at, Framework& framework, const call::Suppress& call);
    void on(Step& at, Framework& framework, const call::SetDemands& call);
    absl::Status findOffers(const Framework& framework, const call::Accept& call, std::vector<StandingOffer*>& found);
    absl::Status validateLaunch(const Framework& framework, const Agent& agent, const TaskInfo& task,
                                const Resources& left);
    struct Launching;
    absl::Status validateLaunches(Step& at, const Framework& framework, const call::Accept& call,
                                  const std::vector<StandingOffer*>& taken, Launching& launching);
    // Tells only of those that the call did not name: the scheduler believes that it has used these.
    void rescindTaken(Step& at, const std::vector<StandingOffer*>& taken);
    void launch(Step& at, Framework& framework, Agent& agent, const TaskInfo& info, bool new_executor);
    void refuseLaunch(Step& at, const Framework& framework, const TaskInfo& task, TaskState state, Reason reason,
                      std::string message);
    // Takes it out of the ledger and the table; the framework is told when it has a session and `tell_it`. The ledger ends
    // all of its gang: the caller goes on with these.
    void rescind(Step& at, StandingOffer& offer, bool tell_it);
    // It and all of its gang; the framework is told.
    void rescindWhole(Step& at, StandingOffer& offer);
    // Takes it out of the table: the ledger moved on by itself.
    void forgetOffer(Step& at, StandingOffer& offer);
    void rescindAll(Step& at, const Agent& agent);
    void invalid(Step& at, const Framework& framework, const absl::Status& why);

    // ---- task_updates.cc: what becomes of tasks
    void on(Step& at, Agent& agent, const agent_says::StatusUpdate& message);
    void on(Step& at, Framework& framework, const call::Acknowledge& call);
    void on(Step& at, Framework& framework, const call::Kill& call);
    // The one place where a task's state changes; a terminal one frees its resources. False when the change is illegal.
    bool setState(Task& task, TaskState next);
    // The master's own last word on a task: told to its framework, shown, and out of the table.
    void end(Step& at, Task& task, TaskState state, Reason reason, std::string message, RecordNumber also = 0);
    // Out of the table without a word: its end has been told.
    void forget(Task& task);
    void applyEarlyKill(Step& at, Task& task);
    void sendKill(Step& at, const Task& task);

    // ---- reconciliation.cc
    void on(Step& at, Framework& framework, const call::Reconcile& call);
    // What is known of a task that is not in the table; nothing while an agent that may know it is awaited.
    std::optional<TaskStatus> statusOfUnknown(const TaskId& task, const AgentId& agent, WallTime now) const;
    TaskStatus masterStatus(const TaskId& task, const AgentId& agent, TaskState state, Reason reason,
                            std::string message, WallTime now) const;
    TaskStatus latestStatus(const Task& task, Reason reason, std::string message, WallTime now) const;

    // ---- executor_life.cc
    // What the task needs besides its own resources: nothing, or a new executor, which is then in `fresh` (those of this
    // very call on this agent).
    absl::StatusOr<std::optional<ExecutorInfo>> newExecutorFor(const Framework& framework, const Agent& agent,
                                                               const TaskInfo& task,
                                                               std::map<ExecutorId, ExecutorInfo>& fresh,
                                                               const Resources& left);
    void compareExecutors(Step& at, Agent& agent, const agent_says::Register& message);
    void adopt(Step& at, Agent& agent, const AgentExecutor& told, const std::vector<FrameworkInfo>& infos);
    void show(Step& at, const Executor& executor);
    // Its resources are free, and it is out of the table.
    void forget(Step& at, const Executor& executor);
    void on(Step& at, Agent& agent, const agent_says::ExecutorEnded& message);

    // ---- executor_messages.cc
    void on(Step& at, Agent& agent, const agent_says::ToFramework& message);
    void on(Step& at, Framework& framework, const call::Message& call);
    void on(Step& at, Framework& framework, const call::Shutdown& call);

    // ---- wishes.cc: operators
    absl::Status grant(Step& at, const TearDownFramework& wish);
    absl::Status grant(Step& at, const KillTask& wish);

    // ---- recovery.cc: what the registry held
    void recover(const Recovered& recovered, Step& at);
};

} // namespace stoa::master
