@0xea433cafc9fc9483;
# What master and agent keep in their stores, one record a message. Records outlive the program that wrote them: fields
# and members of the unions are only ever added.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema::compact");
using Compact = import "agent_master.capnp";

# Of the master's registry.
struct MasterRecord {
  union {
    agentAdmitted @0 :AgentAdmitted;
    agentUnreachable @1 :Text;
    agentRemoved @2 :Text;
    frameworkStored @3 :FrameworkStored;
    frameworkDeadline @4 :FrameworkDeadline;
    frameworkRemoved @5 :Text;
    weightSet @6 :WeightSet;
  }
  # Of agentUnreachable: the time of day at which it was given up; 0 in records of versions that did not keep it.
  unreachableSinceNanos @7 :Int64;
  struct AgentAdmitted {
    info @0 :Compact.AgentInfo;
    incarnation @1 :Compact.Incarnation;
    disowned @2 :UInt8; # 0: none of its tasks, 1: those without checkpoint, 2: all
  }
  struct FrameworkStored {
    info @0 :Compact.FrameworkInfo;
    principal @1 :Text;
  }
  struct FrameworkDeadline {
    framework @0 :Text;
    remainingNanos @1 :Int64;
  }
  struct WeightSet {
    role @0 :Text;
    weight @1 :Float64;
  }
}

# Of the agent's state.
struct AgentRecord {
  union {
    identity @0 :Text;
    launchIntended @1 :LaunchIntended;
    statusAppended @2 :StatusAppended;
    statusAcknowledged @3 :StatusAcknowledged;
    killIntended @4 :KillIntended;
    taskForgotten @5 :TaskKey;
    executorIntended @6 :ExecutorIntended;
    executorShutDown @7 :ExecutorKey;
    executorForgotten @8 :ExecutorKey;
  }
  struct TaskKey {
    framework @0 :Text;
    task @1 :Text;
  }
  struct ExecutorKey {
    framework @0 :Text;
    executor @1 :Text;
  }
  struct ExecutorIntended {
    framework @0 :Compact.FrameworkInfo;
    info @1 :Compact.ExecutorInfo;
    run @2 :Text;
    token @3 :Text;
  }
  struct LaunchIntended {
    framework @0 :Compact.FrameworkInfo;
    task @1 :Compact.TaskInfo;
  }
  struct StatusAppended {
    framework @0 :Text;
    status @1 :Compact.TaskStatus;
  }
  struct StatusAcknowledged {
    key @0 :TaskKey;
    uuid @1 :Data;
  }
  struct KillIntended {
    key @0 :TaskKey;
    graceNanos @1 :Int64;
  }
}
