@0xb436d6631edad72c;
# What executors say to their agent and hear from it, in the shape of the Mesos v1 API.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema");
using Wire = import "wire.capnp";
using Task = import "task.capnp";
using AgentInfo = Task.AgentInfo;
using ContainerId = Task.ContainerId;
using ExecutorInfo = Task.ExecutorInfo;
using FrameworkInfo = Task.FrameworkInfo;
using KillPolicy = Task.KillPolicy;
using TaskInfo = Task.TaskInfo;
using TaskStatus = Task.TaskStatus;

# What an executor says.
struct ExecutorCall {
  executorId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  frameworkId @1 :Text $Wire.number(2) $Wire.inside("value") $Wire.required;
  type @2 :Type $Wire.number(3);
  subscribe @3 :Subscribe $Wire.number(4);
  update @4 :Update $Wire.number(5);
  message @5 :Message $Wire.number(6);

  enum Type {
    unset @0;
    unknown @1 $Wire.number(0);
    subscribe @2 $Wire.number(1);
    update @3 $Wire.number(2);
    message @4 $Wire.number(3);
    heartbeat @5 $Wire.number(4);
  }
  struct Subscribe {
    unacknowledgedTasks @0 :List(TaskInfo) $Wire.number(1);
    unacknowledgedUpdates @1 :List(Update) $Wire.number(2);
  }
  struct Update {
    status @0 :TaskStatus $Wire.number(1) $Wire.required;
  }
  struct Message {
    data @0 :Data $Wire.number(2) $Wire.required;
  }
}

# What an executor hears.
struct ExecutorEvent {
  type @0 :Type $Wire.number(1);
  subscribed @1 :Subscribed $Wire.number(2);
  acknowledged @2 :Acknowledged $Wire.number(3);
  launch @3 :Launch $Wire.number(4);
  launchGroup @4 :LaunchGroup $Wire.number(8);
  kill @5 :Kill $Wire.number(5);
  message @6 :Message $Wire.number(6);
  error @7 :Error $Wire.number(7);

  enum Type {
    unset @0;
    unknown @1 $Wire.number(0);
    subscribed @2 $Wire.number(1);
    launch @3 $Wire.number(2);
    kill @4 $Wire.number(3);
    acknowledged @5 $Wire.number(4);
    message @6 $Wire.number(5);
    error @7 $Wire.number(6);
    shutdown @8 $Wire.number(7);
    launchGroup @9 $Wire.number(8);
    heartbeat @10 $Wire.number(9);
  }
  struct Subscribed {
    executorInfo @0 :ExecutorInfo $Wire.number(1) $Wire.required;
    frameworkInfo @1 :FrameworkInfo $Wire.number(2) $Wire.required;
    agentInfo @2 :AgentInfo $Wire.number(3) $Wire.required;
    containerId @3 :ContainerId $Wire.number(4);
  }
  struct Launch {
    task @0 :TaskInfo $Wire.number(1) $Wire.required;
  }
  struct LaunchGroup {
    taskGroup @0 :List(TaskInfo) $Wire.number(1) $Wire.inside("tasks") $Wire.required;
  }
  struct Kill {
    taskId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
    killPolicy @1 :KillPolicy $Wire.number(2);
  }
  struct Acknowledged {
    taskId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
    uuid @1 :Data $Wire.number(2) $Wire.required;
  }
  struct Message {
    data @0 :Data $Wire.number(1) $Wire.required;
  }
  struct Error {
    message @0 :Text $Wire.number(1) $Wire.required;
  }
}
