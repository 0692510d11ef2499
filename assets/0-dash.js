// The parts of Dash's and AG Grid's browser interface that these scripts use.
(function () {
  "use strict";
  const dash = (window.dash_clientside = window.dash_clientside || {});
  dash.tracker = dash.tracker || {};
  window.dashAgGridFunctions = window.dashAgGridFunctions || {};

  window.trackerDash = {
    register: (callbacks) => void Object.assign(window.dash_clientside.tracker, callbacks),
    registerGridFunctions: (functions) => void Object.assign(window.dashAgGridFunctions, functions),
    noUpdate: () => window.dash_clientside.no_update,
    setProps: (id, properties) => window.dash_clientside.set_props(id, properties),
    triggeredIds: () => window.dash_clientside.callback_context.triggered.map((one) => one.prop_id.split(".")[0]),
  };
})();
