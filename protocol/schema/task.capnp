@0x9cdb2d1d68991aa0;
# What frameworks, executors and tasks are, in the shape of the Mesos v1 API: their descriptions, a task's command and
# container, its status. Stoa's own additions are numbered from 1000, and no v1 client minds them.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema");
using Wire = import "wire.capnp";
using Resources = import "resources.capnp";
using Resource = Resources.Resource;
using Attribute = Resources.Attribute;
using Label = Resources.Label;
using Volume = Resources.Volume;

struct FrameworkInfo {
  user @0 :Text $Wire.number(1) $Wire.required;
  name @1 :Text $Wire.number(2) $Wire.required;
  id @2 :Text $Wire.number(3) $Wire.inside("value");
  failoverTimeout :union $Wire.number(4) $Wire.decimals(9) {
    unset @3 :Void;
    value @4 :Int64; # nanoseconds
  }
  checkpoint :union $Wire.number(5) {
    unset @5 :Void;
    value @6 :Bool;
  }
  role @7 :Text $Wire.number(6);
  roles @8 :List(Text) $Wire.number(12);
  hostname @9 :Text $Wire.number(7);
  principal @10 :Text $Wire.number(8);
  webuiUrl @11 :Text $Wire.number(9);
  capabilities @12 :List(Capability) $Wire.number(10) $Wire.each("type");
  labels @13 :List(Label) $Wire.number(11) $Wire.inside("labels");

  enum Capability {
    unset @0;
    unknown @1 $Wire.number(0);
    revocableResources @2 $Wire.number(1);
    taskKillingState @3 $Wire.number(2);
    gpuResources @4 $Wire.number(3);
    sharedResources @5 $Wire.number(4);
    partitionAware @6 $Wire.number(5);
    multiRole @7 $Wire.number(6);
    reservationRefinement @8 $Wire.number(7);
    regionAware @9 $Wire.number(8);
  }
}

struct Address {
  hostname @0 :Text $Wire.number(1);
  ip @1 :Text $Wire.number(2);
  port @2 :Int32 $Wire.number(3) $Wire.required;
}

struct Parameter {
  key @0 :Text $Wire.number(1) $Wire.required;
  value @1 :Text $Wire.number(2) $Wire.required;
}

struct Url {
  scheme @0 :Text $Wire.number(1) $Wire.required;
  address @1 :Address $Wire.number(2) $Wire.required;
  path @2 :Text $Wire.number(3);
  query @3 :List(Parameter) $Wire.number(4);
  fragment @4 :Text $Wire.number(5);
}

struct Unavailability {
  start :union $Wire.number(1) $Wire.inside("nanoseconds") $Wire.required {
    unset @0 :Void;
    value @1 :Int64;
  }
  duration :union $Wire.number(2) $Wire.inside("nanoseconds") {
    unset @2 :Void;
    value @3 :Int64;
  }
}

struct DomainInfo {
  faultDomain @0 :FaultDomain $Wire.number(1);
  struct FaultDomain {
    region @0 :Text $Wire.number(1) $Wire.inside("name") $Wire.required;
    zone @1 :Text $Wire.number(2) $Wire.inside("name") $Wire.required;
  }
}

struct MasterInfo {
  id @0 :Text $Wire.number(1) $Wire.required;
  ip @1 :UInt32 $Wire.number(2) $Wire.required;
  port @2 :UInt32 $Wire.number(3) $Wire.required;
  pid @3 :Text $Wire.number(4);
  hostname @4 :Text $Wire.number(5);
  version @5 :Text $Wire.number(6);
  address @6 :Address $Wire.number(7);
  domain @7 :DomainInfo $Wire.number(8);
  capabilities @8 :List(Capability) $Wire.number(9) $Wire.each("type");
  enum Capability {
    unset @0;
    unknown @1 $Wire.number(0);
    agentUpdate @2 $Wire.number(1);
    agentDraining @3 $Wire.number(2);
    quotaV2 @4 $Wire.number(3) $Wire.name("QUOTA_V2");
  }
}

struct AgentInfo {
  hostname @0 :Text $Wire.number(1) $Wire.required;
  port :union $Wire.number(8) {
    unset @1 :Void;
    value @2 :Int32;
  }
  resources @3 :List(Resource) $Wire.number(3);
  attributes @4 :List(Attribute) $Wire.number(5);
  id @5 :Text $Wire.number(6) $Wire.inside("value");
  domain @6 :DomainInfo $Wire.number(10);
}

struct Filters {
  refuseSeconds :union $Wire.number(1) $Wire.decimals(9) {
    unset @0 :Void;
    value @1 :Int64;
  }
}

struct KillPolicy {
  gracePeriod :union $Wire.number(1) $Wire.inside("nanoseconds") {
    unset @0 :Void;
    value @1 :Int64;
  }
}

struct Environment {
  variables @0 :List(Variable) $Wire.number(1);
  struct Variable {
    name @0 :Text $Wire.number(1) $Wire.required;
    type @1 :Type $Wire.number(3);
    value @2 :Text $Wire.number(2);
    enum Type {
      unset @0;
      unknown @1 $Wire.number(0);
      value @2 $Wire.number(1);
      secret @3 $Wire.number(2);
    }
  }
}

struct CommandInfo {
  uris @0 :List(Uri) $Wire.number(1);
  environment @1 :List(Environment.Variable) $Wire.number(2) $Wire.inside("variables");
  shell :union $Wire.number(6) {
    unset @2 :Void;
    value @3 :Bool;
  }
  value @4 :Text $Wire.number(3);
  arguments @5 :List(Text) $Wire.number(7);
  user @6 :Text $Wire.number(5);

  struct Uri {
    value @0 :Text $Wire.number(1) $Wire.required;
    executable :union $Wire.number(2) {
      unset @1 :Void;
      value @2 :Bool;
    }
    extract :union $Wire.number(3) {
      unset @3 :Void;
      value @4 :Bool;
    }
    cache :union $Wire.number(4) {
      unset @5 :Void;
      value @6 :Bool;
    }
    outputFile @7 :Text $Wire.number(5);
  }
}

struct ExecutorInfo {
  type @0 :Type $Wire.number(15);
  executorId @1 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  frameworkId @2 :Text $Wire.number(8) $Wire.inside("value");
  command @3 :CommandInfo $Wire.number(7);
  container @4 :ContainerInfo $Wire.number(11);
  resources @5 :List(Resource) $Wire.number(5);
  name @6 :Text $Wire.number(9);
  source @7 :Text $Wire.number(10);
  data @8 :Data $Wire.number(4);
  discovery @9 :DiscoveryInfo $Wire.number(12);
  shutdownGracePeriod :union $Wire.number(13) $Wire.inside("nanoseconds") {
    unset @10 :Void;
    value @11 :Int64;
  }
  labels @12 :List(Label) $Wire.number(14) $Wire.inside("labels");
  enum Type {
    unset @0;
    unknown @1 $Wire.number(0);
    default @2 $Wire.number(1);
    custom @3 $Wire.number(2);
  }
}

struct Image {
  type @0 :Type $Wire.number(1) $Wire.required;
  docker @1 :Docker $Wire.number(3);
  cached :union $Wire.number(4) {
    unset @2 :Void;
    value @3 :Bool;
  }
  enum Type {
    unset @0;
    appc @1 $Wire.number(1);
    docker @2 $Wire.number(2);
  }
  struct Docker {
    name @0 :Text $Wire.number(1) $Wire.required;
  }
}

struct NetworkInfo {
  ipAddresses @0 :List(IpAddress) $Wire.number(5);
  name @1 :Text $Wire.number(6);
  groups @2 :List(Text) $Wire.number(3);
  labels @3 :List(Label) $Wire.number(4) $Wire.inside("labels");
  portMappings @4 :List(PortMapping) $Wire.number(7);
  enum Protocol {
    unset @0;
    ipv4 @1 $Wire.number(1) $Wire.name("IPv4");
    ipv6 @2 $Wire.number(2) $Wire.name("IPv6");
  }
  struct IpAddress {
    protocol @0 :Protocol $Wire.number(1);
    ipAddress @1 :Text $Wire.number(2);
  }
}

struct PortMapping {
  hostPort @0 :UInt32 $Wire.number(1) $Wire.required;
  containerPort @1 :UInt32 $Wire.number(2) $Wire.required;
  protocol @2 :Text $Wire.number(3);
}

struct ContainerInfo {
  type @0 :Type $Wire.number(1) $Wire.required;
  volumes @1 :List(Volume) $Wire.number(2);
  hostname @2 :Text $Wire.number(4);
  docker @3 :Docker $Wire.number(3);
  mesos @4 :Mesos $Wire.number(5);
  networkInfos @5 :List(NetworkInfo) $Wire.number(7);
  enum Type {
    unset @0;
    docker @1 $Wire.number(1);
    mesos @2 $Wire.number(2);
  }
  struct Mesos {
    image @0 :Image $Wire.number(1);
  }
  struct Docker {
    image @0 :Text $Wire.number(1) $Wire.required;
    network @1 :Network $Wire.number(2);
    portMappings @2 :List(PortMapping) $Wire.number(3);
    privileged :union $Wire.number(4) {
      unset @3 :Void;
      value @4 :Bool;
    }
    parameters @5 :List(Parameter) $Wire.number(5);
    forcePullImage :union $Wire.number(6) {
      unset @6 :Void;
      value @7 :Bool;
    }
    enum Network {
      unset @0;
      host @1 $Wire.number(1);
      bridge @2 $Wire.number(2);
      none @3 $Wire.number(3);
      user @4 $Wire.number(4);
    }
  }
}

struct DiscoveryInfo {
  visibility @0 :Visibility $Wire.number(1) $Wire.required;
  name @1 :Text $Wire.number(2);
  environment @2 :Text $Wire.number(3);
  location @3 :Text $Wire.number(4);
  version @4 :Text $Wire.number(5);
  ports @5 :List(Port) $Wire.number(6) $Wire.inside("ports");
  labels @6 :List(Label) $Wire.number(7) $Wire.inside("labels");
  enum Visibility {
    unset @0;
    framework @1 $Wire.number(0);
    cluster @2 $Wire.number(1);
    external @3 $Wire.number(2);
  }
  struct Port {
    number @0 :UInt32 $Wire.number(1) $Wire.required;
    name @1 :Text $Wire.number(2);
    protocol @2 :Text $Wire.number(3);
    visibility @3 :Visibility $Wire.number(4);
    labels @4 :List(Label) $Wire.number(5) $Wire.inside("labels");
  }
}

enum CheckType {
  unset @0;
  unknown @1 $Wire.number(0);
  command @2 $Wire.number(1);
  http @3 $Wire.number(2);
  tcp @4 $Wire.number(3);
}

struct CheckInfo {
  type @0 :CheckType $Wire.number(1);
  command @1 :Command $Wire.number(2);
  http @2 :Http $Wire.number(3);
  tcp @3 :Tcp $Wire.number(7);
  delaySeconds :union $Wire.number(4) $Wire.decimals(9) {
    unset @4 :Void;
    value @5 :Int64;
  }
  intervalSeconds :union $Wire.number(5) $Wire.decimals(9) {
    unset @6 :Void;
    value @7 :Int64;
  }
  timeoutSeconds :union $Wire.number(6) $Wire.decimals(9) {
    unset @8 :Void;
    value @9 :Int64;
  }
  struct Command {
    command @0 :CommandInfo $Wire.number(1) $Wire.required;
  }
  struct Http {
    port @0 :UInt32 $Wire.number(1) $Wire.required;
    path @1 :Text $Wire.number(2);
  }
  struct Tcp {
    port @0 :UInt32 $Wire.number(1) $Wire.required;
  }
}

struct HealthCheck {
  type @0 :CheckType $Wire.number(8);
  command @1 :CommandInfo $Wire.number(7);
  http @2 :Http $Wire.number(1);
  tcp @3 :Tcp $Wire.number(9);
  delaySeconds :union $Wire.number(2) $Wire.decimals(9) {
    unset @4 :Void;
    value @5 :Int64;
  }
  intervalSeconds :union $Wire.number(3) $Wire.decimals(9) {
    unset @6 :Void;
    value @7 :Int64;
  }
  timeoutSeconds :union $Wire.number(4) $Wire.decimals(9) {
    unset @8 :Void;
    value @9 :Int64;
  }
  consecutiveFailures :union $Wire.number(5) {
    unset @10 :Void;
    value @11 :UInt32;
  }
  gracePeriodSeconds :union $Wire.number(6) $Wire.decimals(9) {
    unset @12 :Void;
    value @13 :Int64;
  }
  struct Http {
    protocol @0 :NetworkInfo.Protocol $Wire.number(5);
    scheme @1 :Text $Wire.number(3);
    port @2 :UInt32 $Wire.number(1) $Wire.required;
    path @3 :Text $Wire.number(2);
    statuses @4 :List(UInt32) $Wire.number(4);
  }
  struct Tcp {
    protocol @0 :NetworkInfo.Protocol $Wire.number(2);
    port @1 :UInt32 $Wire.number(1) $Wire.required;
  }
}

struct Limit {
  key @0 :Text $Wire.number(1) $Wire.required;
  value :union $Wire.number(2) $Wire.inside("value") $Wire.decimals(3) $Wire.required {
    unset @1 :Void;
    value @2 :Int64; # the greatest number stands for no limit
  }
}

struct TaskInfo {
  name @0 :Text $Wire.number(1) $Wire.required;
  taskId @1 :Text $Wire.number(2) $Wire.inside("value") $Wire.required;
  agentId @2 :Text $Wire.number(3) $Wire.inside("value") $Wire.required;
  resources @3 :List(Resource) $Wire.number(4);
  executor @4 :ExecutorInfo $Wire.number(5);
  command @5 :CommandInfo $Wire.number(7);
  container @6 :ContainerInfo $Wire.number(9);
  healthCheck @7 :HealthCheck $Wire.number(8);
  check @8 :CheckInfo $Wire.number(13);
  killPolicy @9 :KillPolicy $Wire.number(12);
  data @10 :Data $Wire.number(6);
  labels @11 :List(Label) $Wire.number(10) $Wire.inside("labels");
  discovery @12 :DiscoveryInfo $Wire.number(11);
  maxCompletionTime :union $Wire.number(14) $Wire.inside("nanoseconds") {
    unset @13 :Void;
    value @14 :Int64;
  }
  limits @15 :List(Limit) $Wire.number(15) $Wire.map;
  writablePaths @16 :List(Text) $Wire.number(1000);
  attempt :union $Wire.number(1001) {
    unset @17 :Void;
    value @18 :UInt32;
  }
  workDirectory @19 :Text $Wire.number(1002);
  limitWarning @20 :LimitWarning $Wire.number(1003);

  # A signal to the command so long before maxCompletionTime is over.
  struct LimitWarning {
    signal @0 :Int32 $Wire.number(1) $Wire.required;
    before @1 :Int64 $Wire.number(2) $Wire.required; # nanoseconds
  }
}

enum TaskState {
  unset @0;
  taskStaging @1 $Wire.number(6);
  taskStarting @2 $Wire.number(0);
  taskRunning @3 $Wire.number(1);
  taskKilling @4 $Wire.number(8);
  taskUnreachable @5 $Wire.number(10);
  taskUnknown @6 $Wire.number(13);
  taskFinished @7 $Wire.number(2);
  taskFailed @8 $Wire.number(3);
  taskKilled @9 $Wire.number(4);
  taskError @10 $Wire.number(7);
  taskLost @11 $Wire.number(5);
  taskDropped @12 $Wire.number(9);
  taskGone @13 $Wire.number(11);
  taskGoneByOperator @14 $Wire.number(12);
}

struct TaskStatus {
  taskId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  state @1 :TaskState $Wire.number(2) $Wire.required;
  message @2 :Text $Wire.number(4);
  source @3 :Source $Wire.number(9);
  reason @4 :Reason $Wire.number(10);
  data @5 :Data $Wire.number(3);
  agentId @6 :Text $Wire.number(5) $Wire.inside("value");
  executorId @7 :Text $Wire.number(7) $Wire.inside("value");
  timestamp :union $Wire.number(6) $Wire.decimals(9) {
    unset @8 :Void;
    value @9 :Int64; # nanoseconds since 1970
  }
  uuid @10 :Data $Wire.number(11);
  healthy :union $Wire.number(8) {
    unset @11 :Void;
    value @12 :Bool;
  }
  checkStatus @13 :CheckStatus $Wire.number(15);
  labels @14 :List(Label) $Wire.number(12) $Wire.inside("labels");
  containerStatus @15 :ContainerStatus $Wire.number(13);
  unreachableTime :union $Wire.number(14) $Wire.inside("nanoseconds") {
    unset @16 :Void;
    value @17 :Int64;
  }
  limitation @18 :List(Resource) $Wire.number(16) $Wire.inside("resources");
  process @19 :Process $Wire.number(1000);

  enum Source {
    unset @0;
    sourceMaster @1 $Wire.number(0);
    sourceAgent @2 $Wire.number(1);
    sourceExecutor @3 $Wire.number(2);
  }

  enum Reason {
    unset @0;
    reasonCommandExecutorFailed @1 $Wire.number(0);
    reasonExecutorTerminated @2 $Wire.number(1);
    reasonExecutorUnregistered @3 $Wire.number(2);
    reasonFrameworkRemoved @4 $Wire.number(3);
    reasonGcError @5 $Wire.number(4);
    reasonInvalidFrameworkid @6 $Wire.number(5);
    reasonInvalidOffers @7 $Wire.number(6);
    reasonMasterDisconnected @8 $Wire.number(7);
    reasonContainerLimitationMemory @9 $Wire.number(8);
    reasonReconciliation @10 $Wire.number(9);
    reasonAgentDisconnected @11 $Wire.number(10);
    reasonAgentRemoved @12 $Wire.number(11);
    reasonAgentRestarted @13 $Wire.number(12);
    reasonAgentUnknown @14 $Wire.number(13);
    reasonTaskInvalid @15 $Wire.number(14);
    reasonTaskUnauthorized @16 $Wire.number(15);
    reasonTaskUnknown @17 $Wire.number(16);
    reasonContainerPreempted @18 $Wire.number(17);
    reasonResourcesUnknown @19 $Wire.number(18);
    reasonContainerLimitation @20 $Wire.number(19);
    reasonContainerLimitationDisk @21 $Wire.number(20);
    reasonContainerLaunchFailed @22 $Wire.number(21);
    reasonContainerUpdateFailed @23 $Wire.number(22);
    reasonExecutorRegistrationTimeout @24 $Wire.number(23);
    reasonExecutorReregistrationTimeout @25 $Wire.number(24);
    reasonTaskGroupInvalid @26 $Wire.number(25);
    reasonTaskGroupUnauthorized @27 $Wire.number(26);
    reasonIoSwitchboardExited @28 $Wire.number(27);
    reasonTaskCheckStatusUpdated @29 $Wire.number(28);
    reasonTaskHealthCheckStatusUpdated @30 $Wire.number(29);
    reasonTaskKilledDuringLaunch @31 $Wire.number(30);
    reasonAgentRemovedByOperator @32 $Wire.number(31);
    reasonAgentReregistered @33 $Wire.number(32);
    reasonMaxCompletionTimeReached @34 $Wire.number(33);
    reasonAgentDraining @35 $Wire.number(34);
  }
}

struct CheckStatus {
  type @0 :CheckType $Wire.number(1);
  command @1 :Command $Wire.number(2);
  http @2 :Http $Wire.number(3);
  tcp @3 :Tcp $Wire.number(4);
  struct Command {
    exitCode :union $Wire.number(1) {
      unset @0 :Void;
      value @1 :Int32;
    }
  }
  struct Http {
    statusCode :union $Wire.number(1) {
      unset @0 :Void;
      value @1 :UInt32;
    }
  }
  struct Tcp {
    succeeded :union $Wire.number(1) {
      unset @0 :Void;
      value @1 :Bool;
    }
  }
}

struct ContainerId {
  value @0 :Text $Wire.number(1) $Wire.required;
  parent @1 :ContainerId $Wire.number(2);
}

struct ContainerStatus {
  containerId @0 :ContainerId $Wire.number(4);
  networkInfos @1 :List(NetworkInfo) $Wire.number(1);
  executorPid :union $Wire.number(3) {
    unset @2 :Void;
    value @3 :UInt32;
  }
}

# How a task runs and how it ended, as its agent knows it.
struct Process {
  pid @0 :Int64 $Wire.number(1); # on the agent's host; 0 when there is none
  startTime @1 :UInt64 $Wire.number(2); # clock ticks since boot
  isolation @2 :Text $Wire.number(3);
  waitStatus :union $Wire.number(4) {
    unset @3 :Void;
    value @4 :Int32; # as waitpid gives it
  }
  outOfMemory @5 :Bool $Wire.number(5);
  cpuNanos @6 :Int64 $Wire.number(6);
  maxMemoryBytes @7 :Int64 $Wire.number(7);
}
