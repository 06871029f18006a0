@0xd1309b16c619db24;
# Resources and attributes: the list of named resources that the API exchanges, and the compact bundle of messages and
# records that are ours alone. Amounts are thousandths of a unit everywhere.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema");
using Wire = import "wire.capnp";

enum ValueType {
  unset @0;
  scalar @1 $Wire.number(0);
  ranges @2 $Wire.number(1);
  set @3 $Wire.number(2);
  text @4 $Wire.number(3);
}

struct Range {
  begin @0 :UInt64 $Wire.number(1) $Wire.required;
  end @1 :UInt64 $Wire.number(2) $Wire.required; # inclusive
}

struct Label {
  key @0 :Text $Wire.number(1) $Wire.required;
  value @1 :Text $Wire.number(2);
}

struct Resource {
  name @0 :Text $Wire.number(1) $Wire.required;
  type @1 :ValueType $Wire.number(2) $Wire.required;
  scalar :union $Wire.number(3) $Wire.inside("value") $Wire.decimals(3) {
    unset @2 :Void;
    value @3 :Int64;
  }
  ranges @4 :List(Range) $Wire.number(4) $Wire.inside("range");
  set @5 :List(Text) $Wire.number(5) $Wire.inside("item");
  role @6 :Text $Wire.number(6);
  allocationInfo @7 :Text $Wire.number(11) $Wire.inside("role");
  reservation @8 :Reservation $Wire.number(8);
  reservations @9 :List(Reservation) $Wire.number(13);
  disk @10 :Disk $Wire.number(7);
  revocable @11 :Empty $Wire.number(9);
  shared @12 :Empty $Wire.number(10);
  providerId @13 :Text $Wire.number(12) $Wire.inside("value");

  struct Reservation {
    type @0 :Type $Wire.number(4);
    role @1 :Text $Wire.number(3);
    principal @2 :Text $Wire.number(1);
    labels @3 :List(Label) $Wire.number(2) $Wire.inside("labels");
    enum Type {
      unset @0;
      unknown @1 $Wire.number(0);
      static @2 $Wire.number(1);
      dynamic @3 $Wire.number(2);
    }
  }

  struct Disk {
    persistence @0 :Persistence $Wire.number(1);
    volume @1 :Volume $Wire.number(2);
    source @2 :Source $Wire.number(3);

    struct Persistence {
      id @0 :Text $Wire.number(1) $Wire.required;
      principal @1 :Text $Wire.number(2);
    }

    struct Source {
      type @0 :Type $Wire.number(1) $Wire.required;
      path @1 :Root $Wire.number(2);
      mount @2 :Root $Wire.number(3);
      vendor @3 :Text $Wire.number(7);
      id @4 :Text $Wire.number(4);
      metadata @5 :List(Label) $Wire.number(5) $Wire.inside("labels");
      profile @6 :Text $Wire.number(6);
      struct Root {
        root @0 :Text $Wire.number(1);
      }
      enum Type {
        unset @0;
        unknown @1 $Wire.number(0);
        path @2 $Wire.number(1);
        mount @3 $Wire.number(2);
        block @4 $Wire.number(3);
        raw @5 $Wire.number(4);
      }
    }
  }
}

struct Empty {}

struct Volume {
  mode @0 :Mode $Wire.number(3) $Wire.required;
  containerPath @1 :Text $Wire.number(1) $Wire.required;
  hostPath @2 :Text $Wire.number(2);
  enum Mode {
    unset @0;
    rw @1 $Wire.number(1);
    ro @2 $Wire.number(2);
  }
}

struct Attribute {
  name @0 :Text $Wire.number(1) $Wire.required;
  type @1 :ValueType $Wire.number(2) $Wire.required;
  scalar :union $Wire.number(3) $Wire.inside("value") $Wire.decimals(3) {
    unset @2 :Void;
    value @3 :Int64;
  }
  ranges @4 :List(Range) $Wire.number(4) $Wire.inside("range");
  set @5 :List(Text) $Wire.number(6) $Wire.inside("item");
  text @6 :Text $Wire.number(5) $Wire.inside("value");
}

# What an agent's attribute must be like for an offer made for a demand.
struct Constraint {
  attribute @0 :Text $Wire.number(1) $Wire.required;
  operator @1 :Operator $Wire.number(2) $Wire.required;
  value @2 :Text $Wire.number(3);
  enum Operator {
    unset @0;
    equals @1 $Wire.number(1);
    notEquals @2 $Wire.number(2);
    exists @3 $Wire.number(3);
    notExists @4 $Wire.number(4);
  }
}

# The compact form, binary only.
struct Bundle {
  cpus @0 :Int64;
  mem @1 :Int64;
  disk @2 :Int64;
  gpus @3 :Int64;
  others @4 :List(Other);
  struct Other {
    name @0 :Text;
    union {
      scalar @1 :Int64;
      ranges @2 :List(Range);
      set @3 :List(Text);
    }
  }
}
