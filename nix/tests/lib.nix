# As much of nixpkgs' lib, and of its module system, as module.nix and the tests need:
# nixpkgs itself is not at hand where the tests run. It behaves alike where it is
# stricter than one would think: an option that does not exist may not be set, not even
# under mkIf; and which options a module sets may not depend on their values.
rec {
  inherit (builtins) concatStringsSep filter;

  optional = cond: x: if cond then [ x ] else [ ];
  optionalAttrs = cond: attrs: if cond then attrs else { };
  optionalString = cond: text: if cond then text else "";
  filterAttrs = keep: attrs: removeAttrs attrs (filter (name: !keep name attrs.${name}) (builtins.attrNames attrs));
  genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
  escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  literalExpression = text: { _type = "literalExpression"; inherit text; };

  mkOption = attrs: attrs // { _type = "option"; };
  mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;

  is = kind: x: builtins.isAttrs x && x._type or "" == kind;
  wrong = path: why: throw "The option `${concatStringsSep "." path}' ${why}";

  # found is what is set at a path below a value: [ { priority, value } ]. Only where
  # something is set is it asked whether it holds.
  found = search { priority = 100; holds = true; };
  search = how: path: value:
    if path == [ ] && !how.holds then [ ]
    else if is "if" value then search (how // { holds = how.holds && value.condition; }) path value.content
    else if is "merge" value then builtins.concatMap (search how path) value.contents
    else if is "override" value then search (how // { inherit (value) priority; }) path value.content
    else if path == [ ] then [{ inherit (how) priority; inherit value; }]
    else if !builtins.isAttrs value then wrong path "is set in something that is no attribute set."
    else if value ? ${builtins.head path} then search how (builtins.tail path) value.${builtins.head path}
    else [ ];

  # winners are the values of the strongest priority.
  winners = definitions:
    let strongest = builtins.foldl' (a: d: if d.priority < a then d.priority else a) 9999 definitions; in
    map (d: d.value) (filter (d: d.priority == strongest) definitions);

  # valueOf is an option's value: its definitions, merged as its type does it.
  valueOf = path: option: definitions:
    let all = definitions ++ optional (option ? default) { priority = 1500; value = option.default; }; in
    if all == [ ] then wrong path "is used, and nobody sets it."
    else option.type.merge path all;

  # plain makes a type of values that are not looked into.
  plain = name: check: join: {
    inherit name check;
    merge = path: definitions:
      let values = winners definitions; in
      if builtins.all check values then join path values
      else wrong path "is no ${name}: ${builtins.toJSON (filter (v: !check v) values)}.";
    getSubOptions = _: { };
  };
  same = path: values:
    if builtins.all (v: v == builtins.head values) values then builtins.head values
    else wrong path "has conflicting values: ${builtins.toJSON values}.";

  types = rec {
    bool = plain "boolean" builtins.isBool same;
    str = plain "string" builtins.isString same;
    path = plain "path" (v: builtins.substring 0 1 (toString v) == "/") same;
    raw = plain "value" (_: true) same;
    lines = plain "text" builtins.isString (_: concatStringsSep "\n");
    strMatching = pattern: plain "string matching ${pattern}" (v: builtins.isString v && builtins.match pattern v != null) same;
    nullOr = type: type // {
      merge = path: definitions:
        let values = winners definitions; in
        if builtins.all (v: v == null) values then null
        else if builtins.any (v: v == null) values then wrong path "is null and is not."
        else type.merge path definitions;
    };
    listOf = type: plain "list of ${type.name}s" builtins.isList (path: lists:
      map (v: type.merge path [{ priority = 100; value = v; }]) (builtins.concatLists lists));
    attrsOf = type: {
      name = "attribute set of ${type.name}s";
      merge = path: definitions:
        let
          values = winners definitions;
          names = builtins.attrNames (builtins.foldl' (a: b: a // b) { } values);
          each = name: builtins.concatMap (found [ name ]) values;
        in
        builtins.mapAttrs (name: set: type.merge (path ++ [ name ]) set)
          (filterAttrs (_: set: set != [ ]) (genAttrs names each));
      getSubOptions = type.getSubOptions;
    };
    submodule = options: {
      name = "submodule";
      merge = path: definitions: (configOf path options (winners definitions)).checked;
      getSubOptions = _: options;
    };
  };

  # configOf has the values of a tree of options; modules are what sets them. Modules
  # ask values before all that is set is known, so only others are given checked ones.
  configOf = path: options: modules:
    let
      node = at: tree: builtins.mapAttrs
        (name: sub:
          let here = at ++ [ name ]; in
          if is "option" sub then valueOf (path ++ here) sub (builtins.concatMap (found here) modules)
          else node here sub)
        tree;
      # There is no option for what is set.
      strangers = at: tree: value:
        if is "option" tree then true
        else if is "if" value || is "override" value then strangers at tree value.content
        else if is "merge" value then builtins.all (strangers at tree) value.contents
        else builtins.all
          (name:
            if tree ? ${name} then strangers (at ++ [ name ]) tree.${name} value.${name}
            else wrong (path ++ at ++ [ name ]) "does not exist.")
          (builtins.attrNames value);
    in
    {
      values = node [ ] options;
      checked = builtins.seq (builtins.all (strangers [ ] options) modules) (node [ ] options);
    };

  # both is the tree that has the options of two; an option is declared once.
  both = a: b: a // builtins.mapAttrs
    (name: sub:
      if !(a ? ${name}) then sub
      else if is "option" sub || is "option" a.${name} then throw "The option `${name}' is declared twice."
      else both a.${name} sub)
    b;

  # evalModules takes functions of { config, options, lib, … } that return
  # { options, config }.
  evalModules = { modules, specialArgs ? { } }:
    let
      loaded = map (m: m ({ inherit config options lib; } // specialArgs)) modules;
      options = builtins.foldl' both { } (map (m: m.options or { }) loaded);
      all = configOf [ ] options (map (m: m.config or { }) loaded);
      config = all.values;
      lib = import ./lib.nix;
    in
    { inherit options; config = all.checked; };
}
