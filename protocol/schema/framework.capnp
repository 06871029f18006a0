@0xc0fa9a38a480cb7f;
# What schedulers say and hear, in the shape of the Mesos v1 API: an explicit `type` beside plain struct fields. Over
# HTTP it is JSON, over ZeroMQ these very words. Stoa's own additions are numbered from 1000.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema");
using Wire = import "wire.capnp";
using Resources = import "resources.capnp";
using Resource = Resources.Resource;
using Attribute = Resources.Attribute;
using Task = import "task.capnp";
using DomainInfo = Task.DomainInfo;
using ExecutorInfo = Task.ExecutorInfo;
using Filters = Task.Filters;
using FrameworkInfo = Task.FrameworkInfo;
using KillPolicy = Task.KillPolicy;
using MasterInfo = Task.MasterInfo;
using TaskInfo = Task.TaskInfo;
using TaskStatus = Task.TaskStatus;
using Unavailability = Task.Unavailability;
using Url = Task.Url;

# What a framework wants, so that it is offered only that, at once.
struct Demand {
  name @0 :Text $Wire.number(1) $Wire.required;
  role @1 :Text $Wire.number(2);
  resources @2 :List(Resource) $Wire.number(3); # of one piece
  count @3 :UInt32 $Wire.number(4) $Wire.required; # 0 withdraws
  constraints @4 :List(Resources.Constraint) $Wire.number(5);
  gang @5 :Gang $Wire.number(6); # absent: pieces are offered as they come

  # All pieces or none, in one turn.
  struct Gang {
    mostPerAgent @0 :UInt32 $Wire.number(1); # pieces; 0: as many as fit
  }
}

struct Offer {
  id @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  frameworkId @1 :Text $Wire.number(2) $Wire.inside("value") $Wire.required;
  agentId @2 :Text $Wire.number(3) $Wire.inside("value") $Wire.required;
  hostname @3 :Text $Wire.number(4) $Wire.required;
  url @4 :Url $Wire.number(8);
  domain @5 :DomainInfo $Wire.number(11);
  resources @6 :List(Resource) $Wire.number(5);
  attributes @7 :List(Attribute) $Wire.number(7);
  executorIds @8 :List(Text) $Wire.number(6) $Wire.each("value");
  unavailability @9 :Unavailability $Wire.number(9);
  allocationInfo @10 :Text $Wire.number(10) $Wire.inside("role");
  demand @11 :Match $Wire.number(1000);

  # The demand for which the offer was made, and how many pieces of its shape fit.
  struct Match {
    name @0 :Text $Wire.number(1) $Wire.required;
    count @1 :UInt32 $Wire.number(2) $Wire.required;
    # Of a gang: its first offer. Offers that name the same one are accepted together, in one call, or declined.
    gang @2 :Text $Wire.number(3) $Wire.inside("value");
  }

  struct Operation {
    type @0 :Type $Wire.number(1);
    id @1 :Text $Wire.number(12) $Wire.inside("value");
    launch @2 :Launch $Wire.number(2);
    launchGroup @3 :LaunchGroup $Wire.number(7);
    reserve @4 :Reserve $Wire.number(3);
    unreserve @5 :Unreserve $Wire.number(4);
    create @6 :Volumes $Wire.number(5);
    destroy @7 :Volumes $Wire.number(6);
    growVolume @8 :GrowVolume $Wire.number(13);
    shrinkVolume @9 :ShrinkVolume $Wire.number(14);
    createDisk @10 :CreateDisk $Wire.number(15);
    destroyDisk @11 :DestroyDisk $Wire.number(16);

    enum Type {
      unset @0;
      unknown @1 $Wire.number(0);
      launch @2 $Wire.number(1);
      reserve @3 $Wire.number(2);
      unreserve @4 $Wire.number(3);
      create @5 $Wire.number(4);
      destroy @6 $Wire.number(5);
      launchGroup @7 $Wire.number(6);
      growVolume @8 $Wire.number(11);
      shrinkVolume @9 $Wire.number(12);
      createDisk @10 $Wire.number(13);
      destroyDisk @11 $Wire.number(14);
    }
    struct Launch {
      taskInfos @0 :List(TaskInfo) $Wire.number(1);
    }
    struct LaunchGroup {
      executor @0 :ExecutorInfo $Wire.number(1) $Wire.required;
      taskGroup @1 :List(TaskInfo) $Wire.number(2) $Wire.inside("tasks") $Wire.required;
    }
    struct Reserve {
      source @0 :List(Resource) $Wire.number(2);
      resources @1 :List(Resource) $Wire.number(1);
    }
    struct Unreserve {
      resources @0 :List(Resource) $Wire.number(1);
    }
    struct Volumes {
      volumes @0 :List(Resource) $Wire.number(1);
    }
    struct GrowVolume {
      volume @0 :Resource $Wire.number(1) $Wire.required;
      addition @1 :Resource $Wire.number(2) $Wire.required;
    }
    struct ShrinkVolume {
      volume @0 :Resource $Wire.number(1) $Wire.required;
      subtract :union $Wire.number(2) $Wire.inside("value") $Wire.decimals(3) $Wire.required {
        unset @1 :Void;
        value @2 :Int64;
      }
    }
    struct CreateDisk {
      source @0 :Resource $Wire.number(1) $Wire.required;
      targetType @1 :Resource.Disk.Source.Type $Wire.number(2) $Wire.required;
      targetProfile @2 :Text $Wire.number(3);
    }
    struct DestroyDisk {
      source @0 :Resource $Wire.number(1) $Wire.required;
    }
  }
}

struct InverseOffer {
  id @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  url @1 :Url $Wire.number(2);
  frameworkId @2 :Text $Wire.number(3) $Wire.inside("value") $Wire.required;
  agentId @3 :Text $Wire.number(4) $Wire.inside("value");
  unavailability @4 :Unavailability $Wire.number(5) $Wire.required;
  resources @5 :List(Resource) $Wire.number(6);
}

struct OperationStatus {
  operationId @0 :Text $Wire.number(1) $Wire.inside("value");
  state @1 :State $Wire.number(2) $Wire.required;
  message @2 :Text $Wire.number(3);
  convertedResources @3 :List(Resource) $Wire.number(4);
  uuid @4 :Data $Wire.number(5) $Wire.inside("value");
  agentId @5 :Text $Wire.number(6) $Wire.inside("value");
  resourceProviderId @6 :Text $Wire.number(7) $Wire.inside("value");
  enum State {
    unset @0;
    operationUnsupported @1 $Wire.number(0);
    operationPending @2 $Wire.number(1);
    operationFinished @3 $Wire.number(2);
    operationFailed @4 $Wire.number(3);
    operationError @5 $Wire.number(4);
    operationDropped @6 $Wire.number(5);
    operationUnreachable @7 $Wire.number(6);
    operationGoneByOperator @8 $Wire.number(7);
    operationRecovering @9 $Wire.number(8);
    operationUnknown @10 $Wire.number(9);
  }
}

# What a scheduler says.
struct Call {
  frameworkId @0 :Text $Wire.number(1) $Wire.inside("value");
  type @1 :Type $Wire.number(2);
  subscribe @2 :Subscribe $Wire.number(3);
  accept @3 :Accept $Wire.number(4);
  decline @4 :Decline $Wire.number(5);
  acceptInverseOffers @5 :InverseOffers $Wire.number(13);
  declineInverseOffers @6 :InverseOffers $Wire.number(14);
  revive @7 :Roles $Wire.number(15);
  suppress @8 :Roles $Wire.number(16);
  kill @9 :Kill $Wire.number(6);
  shutdown @10 :Shutdown $Wire.number(7);
  acknowledge @11 :Acknowledge $Wire.number(8);
  acknowledgeOperationStatus @12 :AcknowledgeOperationStatus $Wire.number(17);
  reconcile @13 :Reconcile $Wire.number(9);
  reconcileOperations @14 :ReconcileOperations $Wire.number(18);
  message @15 :Message $Wire.number(10);
  request @16 :Requests $Wire.number(11);
  updateFramework @17 :Subscribe $Wire.number(19);
  setDemands @18 :SetDemands $Wire.number(1000);

  enum Type {
    unset @0;
    unknown @1 $Wire.number(0);
    subscribe @2 $Wire.number(1);
    teardown @3 $Wire.number(2);
    accept @4 $Wire.number(3);
    decline @5 $Wire.number(4);
    revive @6 $Wire.number(5);
    kill @7 $Wire.number(6);
    shutdown @8 $Wire.number(7);
    acknowledge @9 $Wire.number(8);
    reconcile @10 $Wire.number(9);
    message @11 $Wire.number(10);
    request @12 $Wire.number(11);
    suppress @13 $Wire.number(12);
    acceptInverseOffers @14 $Wire.number(13);
    declineInverseOffers @15 $Wire.number(14);
    acknowledgeOperationStatus @16 $Wire.number(15);
    reconcileOperations @17 $Wire.number(16);
    updateFramework @18 $Wire.number(17);
    setDemands @19 $Wire.number(1000);
  }

  struct Subscribe {
    frameworkInfo @0 :FrameworkInfo $Wire.number(1) $Wire.required;
    suppressedRoles @1 :List(Text) $Wire.number(2);
  }
  struct Accept {
    offerIds @0 :List(Text) $Wire.number(1) $Wire.each("value");
    operations @1 :List(Offer.Operation) $Wire.number(2);
    filters @2 :Filters $Wire.number(3);
  }
  struct Decline {
    offerIds @0 :List(Text) $Wire.number(1) $Wire.each("value");
    filters @1 :Filters $Wire.number(2);
  }
  struct InverseOffers {
    inverseOfferIds @0 :List(Text) $Wire.number(1) $Wire.each("value");
    filters @1 :Filters $Wire.number(2);
  }
  struct Roles {
    roles @0 :List(Text) $Wire.number(1);
  }
  struct Kill {
    taskId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
    agentId @1 :Text $Wire.number(2) $Wire.inside("value");
    killPolicy @2 :KillPolicy $Wire.number(3);
  }
  struct Shutdown {
    executorId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
    agentId @1 :Text $Wire.number(2) $Wire.inside("value") $Wire.required;
  }
  struct Acknowledge {
    agentId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
    taskId @1 :Text $Wire.number(2) $Wire.inside("value") $Wire.required;
    uuid @2 :Data $Wire.number(3) $Wire.required;
  }
  struct AcknowledgeOperationStatus {
    agentId @0 :Text $Wire.number(1) $Wire.inside("value");
    resourceProviderId @1 :Text $Wire.number(2) $Wire.inside("value");
    uuid @2 :Data $Wire.number(3) $Wire.required;
    operationId @3 :Text $Wire.number(4) $Wire.inside("value") $Wire.required;
  }
  struct Reconcile {
    tasks @0 :List(Task) $Wire.number(1);
    struct Task {
      taskId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
      agentId @1 :Text $Wire.number(2) $Wire.inside("value");
    }
  }
  struct ReconcileOperations {
    operations @0 :List(Operation) $Wire.number(1);
    struct Operation {
      operationId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
      agentId @1 :Text $Wire.number(2) $Wire.inside("value");
      resourceProviderId @2 :Text $Wire.number(3) $Wire.inside("value");
    }
  }
  struct Requests {
    requests @0 :List(Request) $Wire.number(1);
    struct Request {
      agentId @0 :Text $Wire.number(1) $Wire.inside("value");
      resources @1 :List(Resource) $Wire.number(2);
    }
  }
  # The whole list, replacing the last.
  struct SetDemands {
    demands @0 :List(Demand) $Wire.number(1);
  }
}

# Between a scheduler and its executor, either way.
struct Message {
  agentId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  executorId @1 :Text $Wire.number(2) $Wire.inside("value") $Wire.required;
  data @2 :Data $Wire.number(3) $Wire.required;
}

# What a scheduler hears.
struct Event {
  type @0 :Type $Wire.number(1);
  subscribed @1 :Subscribed $Wire.number(2);
  offers @2 :Offers $Wire.number(3);
  inverseOffers @3 :InverseOffers $Wire.number(9);
  rescind @4 :Rescind $Wire.number(4);
  rescindInverseOffer @5 :RescindInverseOffer $Wire.number(10);
  update @6 :Update $Wire.number(5);
  updateOperationStatus @7 :UpdateOperationStatus $Wire.number(11);
  message @8 :Message $Wire.number(6);
  failure @9 :Failure $Wire.number(7);
  error @10 :Error $Wire.number(8);

  enum Type {
    unset @0;
    unknown @1 $Wire.number(0);
    subscribed @2 $Wire.number(1);
    offers @3 $Wire.number(2);
    rescind @4 $Wire.number(3);
    update @5 $Wire.number(4);
    message @6 $Wire.number(5);
    failure @7 $Wire.number(6);
    error @8 $Wire.number(7);
    heartbeat @9 $Wire.number(8);
    inverseOffers @10 $Wire.number(9);
    rescindInverseOffer @11 $Wire.number(10);
    updateOperationStatus @12 $Wire.number(11);
  }

  struct Subscribed {
    frameworkId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
    heartbeatIntervalSeconds :union $Wire.number(2) $Wire.decimals(9) {
      unset @1 :Void;
      value @2 :Int64;
    }
    masterInfo @3 :MasterInfo $Wire.number(3);
    epoch :union $Wire.number(1000) {
      unset @4 :Void;
      value @5 :UInt64; # of the leader
    }
  }
  struct Offers {
    offers @0 :List(Offer) $Wire.number(1);
  }
  struct InverseOffers {
    inverseOffers @0 :List(InverseOffer) $Wire.number(1);
  }
  struct Rescind {
    offerId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  }
  struct RescindInverseOffer {
    inverseOfferId @0 :Text $Wire.number(1) $Wire.inside("value") $Wire.required;
  }
  struct Update {
    status @0 :TaskStatus $Wire.number(1) $Wire.required;
  }
  struct UpdateOperationStatus {
    status @0 :OperationStatus $Wire.number(1) $Wire.required;
  }
  struct Failure {
    agentId @0 :Text $Wire.number(1) $Wire.inside("value");
    executorId @1 :Text $Wire.number(2) $Wire.inside("value");
    status :union $Wire.number(3) {
      unset @2 :Void;
      value @3 :Int32;
    }
  }
  struct Error {
    message @0 :Text $Wire.number(1) $Wire.required;
  }
}
