@0x91d7c113cadacd96;
# What agents and masters say to each other, and the parts of it that both also keep in their stores. Binary only and
# ours alone, so compact: amounts in thousandths, and a task's body as the bytes it
# came in. Fields are only ever added.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema::compact");
using Resources = import "resources.capnp";
using Bundle = Resources.Bundle;
using Label = Resources.Label;
using Task = import "task.capnp";

struct OptionalInt32 {
  value @0 :Int32;
}

struct OptionalInt64 {
  value @0 :Int64;
}

struct Address {
  host @0 :Text;
  port @1 :UInt16;
}

struct Attribute {
  name @0 :Text;
  union {
    scalar @1 :Int64;
    ranges @2 :List(Resources.Range);
    text @3 :Text;
  }
}

struct AgentInfo {
  id @0 :Text;
  hostname @1 :Text;
  address @2 :Address;
  resources @3 :Bundle;
  attributes @4 :List(Attribute);
  isolation @5 :Text;
  version @6 :Text;
}

struct Incarnation {
  bootId @0 :Text;
  workId @1 :Text;
}

struct FrameworkInfo {
  id @0 :Text;
  name @1 :Text;
  user @2 :Text;
  roles @3 :List(Text);
  failoverTimeoutNanos @4 :Int64;
  checkpoint @5 :Bool;
  hostname @6 :Text;
  webuiUrl @7 :Text;
  principal @8 :Text;
  labels @9 :List(Label);
  capabilities @10 :List(Task.FrameworkInfo.Capability); # null: a native driver's
}

struct TaskInfo {
  id @0 :Text;
  name @1 :Text;
  agent @2 :Text;
  executor @3 :Text;
  resources @4 :Bundle;
  body @5 :Data;
}

struct ExecutorInfo {
  id @0 :Text;
  name @1 :Text;
  resources @2 :Bundle;
  body @3 :Data;
}

struct TaskOutcome {
  waitStatus @0 :OptionalInt32;
  outOfMemory @1 :Bool;
  cpuNanos @2 :Int64;
  maxMemoryBytes @3 :Int64;
}

struct TaskStatus {
  task @0 :Text;
  agent @1 :Text;
  executor @2 :Text;
  state @3 :Task.TaskState;
  source @4 :Task.TaskStatus.Source;
  reason @5 :Task.TaskStatus.Reason;
  message @6 :Text;
  uuid @7 :Data; # 16 bytes; null when there is nothing to acknowledge
  timestamp @8 :Int64; # nanoseconds since 1970
  pid @9 :Int64;
  startTime @10 :UInt64;
  isolation @11 :Text;
  outcome @12 :TaskOutcome;
  data @13 :Data;
}

struct AgentTask {
  framework @0 :Text;
  info @1 :TaskInfo;
  state @2 :Task.TaskState;
  status @3 :TaskStatus;
}

struct AgentExecutor {
  framework @0 :Text;
  info @1 :ExecutorInfo;
}

struct FromAgent {
  union {
    register @0 :Register;
    statusUpdate @1 :StatusUpdate;
    toFramework @2 :ExecutorMessage;
    executorEnded @3 :ExecutorEnded;
    unregister @4 :Void;
  }
  struct Register {
    info @0 :AgentInfo;
    incarnation @1 :Incarnation;
    tasks @2 :List(AgentTask);
    frameworks @3 :List(FrameworkInfo);
    executors @4 :List(AgentExecutor);
  }
  struct StatusUpdate {
    framework @0 :Text;
    status @1 :TaskStatus;
    latest @2 :Task.TaskState;
  }
  struct ExecutorEnded {
    framework @0 :Text;
    executor @1 :Text;
    waitStatus @2 :OptionalInt32;
  }
}

struct ExecutorMessage {
  framework @0 :Text;
  executor @1 :Text;
  data @2 :Data;
}

struct ToAgent {
  union {
    registered @0 :Registered;
    refused @1 :Text;
    launch @2 :Launch;
    kill @3 :Kill;
    acknowledgeUpdate @4 :AcknowledgeUpdate;
    shutdownFramework @5 :Text;
    toExecutor @6 :ExecutorMessage;
    shutdownExecutor @7 :ExecutorMessage;
  }
  struct Registered {
    id @0 :Text;
    updateRetryNanos @1 :Int64;
  }
  struct Launch {
    framework @0 :FrameworkInfo;
    task @1 :TaskInfo;
    newExecutor @2 :Bool;
  }
  struct Kill {
    framework @0 :Text;
    task @1 :Text;
    graceNanos @2 :OptionalInt64;
  }
  struct AcknowledgeUpdate {
    framework @0 :Text;
    task @1 :Text;
    uuid @2 :Data;
  }
}
