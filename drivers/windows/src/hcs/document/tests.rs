//! The documents against golden ones: case 81, of Docker 1.10 and of today.

use super::*;
use crate::backend::{ChildStream, ProcessRequest};
use execdriver_core::{Mount, Network, PortBinding, ProcessConfig, WindowSize};

/// The command of the contract's golden document.
fn command() -> Command {
    let golden = include_str!("../../../../../fixtures/golden/command-windows.json");
    Command::from_json(golden.trim_end()).unwrap()
}

fn layers() -> [Layer; 1] {
    [Layer {
        id: "00112233-4455-6677-8899-0a0b0c0d0e0f".into(),
        path: r"C:\ProgramData\docker\windowsfilter\aaa".into(),
    }]
}

fn made(schema: Schema, command: &Command, hyperv: bool) -> String {
    let layers = layers();
    let parts = Parts {
        name: "4fa6e0f0c678",
        layers: &layers,
        hyperv,
        utility_vm: hyperv.then(|| r"C:\base\UtilityVM".into()),
        endpoints: &["e-1".to_owned()],
        nat: "ContainerNAT",
    };
    let limits = command.resources.as_ref().map(Limits::of);
    let limits = limits.transpose().unwrap().unwrap_or_default();
    container(schema, command, &parts, &limits).unwrap()
}

#[test]
fn windows_golden_container_of_docker() {
    assert_eq!(
        made(Schema::Docker, &command(), false),
        concat!(
            r#"{"SystemType":"Container","Name":"4fa6e0f0c678","Owner":"docker","IsDummy":false,"#,
            r#""VolumePath":"\\\\?\\Volume{1234}","Devices":[{"DeviceType":"Network","Connection":"#,
            r#"{"NetworkName":"Virtual Switch","EnableNat":false,"Nat":{"Name":"ContainerNAT","#,
            r#""PortBindings":[{"Protocol":"TCP","InternalPort":80,"ExternalPort":8080}]}},"#,
            r#""Settings":{"MacAddress":"00-15-5d-00-00-01"}}],"IgnoreFlushesDuringBoot":true,"#,
            r#""LayerFolderPath":"C:\\ProgramData\\docker\\windowsfilter\\4fa6","#,
            r#""Layers":[{"ID":"00112233-4455-6677-8899-0a0b0c0d0e0f","#,
            r#""Path":"C:\\ProgramData\\docker\\windowsfilter\\aaa"}],"ProcessorWeight":500,"#,
            r#""HostName":"4fa6e0f0c678","MappedDirectories":[{"HostPath":"c:\\data","#,
            r#""ContainerPath":"c:\\mnt","ReadOnly":false}],"SandboxPath":"","HvPartition":false}"#,
        )
    );
}

#[test]
fn windows_golden_container_of_docker_in_a_virtual_machine_with_nothing() {
    let mut command = Command::windows("x", "v", "cmd");
    if let Some(windows) = command.as_windows_mut() {
        windows.layer_folder = r"C:\filter\4fa6\".into();
        windows.hostname = "a<b".into();
    }
    let parts = Parts {
        name: "x",
        layers: &[],
        hyperv: true,
        utility_vm: None,
        endpoints: &[],
        nat: "",
    };
    assert_eq!(
        container(Schema::Docker, &command, &parts, &Limits::default()).unwrap(),
        concat!(
            r#"{"SystemType":"Container","Name":"x","Owner":"docker","IsDummy":false,"VolumePath":"v","#,
            r#""Devices":null,"IgnoreFlushesDuringBoot":false,"LayerFolderPath":"C:\\filter\\4fa6\\","#,
            r#""Layers":null,"HostName":"a\u003cb","MappedDirectories":[],"SandboxPath":"C:\\filter","#,
            r#""HvPartition":true}"#,
        )
    );
}

#[test]
fn windows_golden_container_without_mac_and_ports() {
    let mut command = command();
    let interface = command
        .network
        .as_mut()
        .and_then(|n| n.interface.as_mut())
        .unwrap();
    interface.mac_address.clear();
    interface.port_bindings.clear();
    let document = made(Schema::Docker, &command, false);
    let wanted = r#""Nat":{"Name":"ContainerNAT","PortBindings":null}},"Settings":null}]"#;
    assert!(document.contains(wanted), "{document}");
}

#[test]
fn windows_golden_container_of_version_1() {
    assert_eq!(
        made(Schema::V1, &command(), false),
        concat!(
            r#"{"SystemType":"Container","Name":"4fa6e0f0c678","Owner":"execdriver","#,
            r#""VolumePath":"\\\\?\\Volume{1234}","IgnoreFlushesDuringBoot":true,"#,
            r#""LayerFolderPath":"C:\\ProgramData\\docker\\windowsfilter\\4fa6","#,
            r#""Layers":[{"ID":"00112233-4455-6677-8899-0a0b0c0d0e0f","#,
            r#""Path":"C:\\ProgramData\\docker\\windowsfilter\\aaa"}],"ProcessorWeight":500,"#,
            r#""HostName":"4fa6e0f0c678","MappedDirectories":[{"HostPath":"c:\\data","#,
            r#""ContainerPath":"c:\\mnt","ReadOnly":false}],"HvPartition":false,"#,
            r#""EndpointList":["e-1"],"TerminateOnLastHandleClosed":true}"#,
        )
    );
}

#[test]
fn windows_golden_container_of_version_1_in_a_virtual_machine() {
    let mut command = command();
    command.network = Some(Network::of_container("other"));
    command.mounts = vec![Mount::read_only(r"\\.\pipe\host", r"\\.\PIPE\inside")];
    let document = made(Schema::V1, &command, true);
    for wanted in [
        r#""HvPartition":true,"NetworkSharedContainerName":"other","EndpointList":["e-1"],"HvRuntime":{"ImagePath":"C:\\base\\UtilityVM"}"#,
        r#""MappedPipes":[{"HostPath":"\\\\.\\pipe\\host","ContainerPipeName":"inside"}]"#,
    ] {
        assert!(document.contains(wanted), "{document}");
    }
    assert!(!document.contains("VolumePath") && !document.contains("MappedDirectories"));
}

#[test]
fn windows_golden_container_of_version_2() {
    let mut command = command();
    command.resources.as_mut().unwrap().memory = (300 << 20) + 5;
    assert_eq!(
        made(Schema::V2, &command, false),
        concat!(
            r#"{"Owner":"execdriver","SchemaVersion":{"Major":2,"Minor":1},"#,
            r#""ShouldTerminateOnLastHandleClosed":true,"Container":{"GuestOs":{"HostName":"4fa6e0f0c678"},"#,
            r#""Storage":{"Layers":[{"Id":"00112233-4455-6677-8899-0a0b0c0d0e0f","#,
            r#""Path":"C:\\ProgramData\\docker\\windowsfilter\\aaa"}],"Path":"\\\\?\\Volume{1234}\\"},"#,
            r#""MappedDirectories":[{"HostPath":"c:\\data","ContainerPath":"c:\\mnt","ReadOnly":false}],"#,
            r#""Memory":{"SizeInMB":300},"Processor":{"Weight":500},"#,
            r#""Networking":{"NetworkAdapters":["e-1"]}}}"#,
        )
    );
}

#[test]
fn a_cap_of_processor_time_is_in_every_form_that_has_a_word_for_it_and_excludes_a_weight() {
    let of = |cpu_shares, cpu_maximum| {
        Limits::of(&execdriver_core::Resources {
            cpu_shares,
            windows: Some(execdriver_core::WindowsResources {
                cpu_maximum,
                ..execdriver_core::WindowsResources::default()
            }),
            ..execdriver_core::Resources::default()
        })
    };
    let mut command = command();
    let mut document = |schema, cpu_maximum| {
        command.resources = Some(execdriver_core::Resources::default());
        let parts = Parts {
            name: "x",
            layers: &[],
            hyperv: false,
            utility_vm: None,
            endpoints: &[],
            nat: "",
        };
        let limits = of(0, cpu_maximum).unwrap();
        container(schema, &command, &parts, &limits).unwrap()
    };
    assert!(document(Schema::V1, 2_500).contains(r#","ProcessorMaximum":2500,"#));
    assert!(document(Schema::V2, 2_500).contains(r#","Processor":{"Maximum":2500}"#));
    assert!(!document(Schema::V2, -1).contains("Processor"));
    let update = |shares, maximum| {
        let units = Units::of(&of(shares, maximum).unwrap()).unwrap();
        processor_update(units).map(|request| request.split(":{").nth(1).unwrap().to_owned())
    };
    assert_eq!(update(0, 2_500).as_deref(), Some(r#""Maximum":2500}}"#));
    // A cap is taken away by all of the time, or by a weight in its place.
    assert_eq!(update(0, -1).as_deref(), Some(r#""Maximum":10000}}"#));
    assert_eq!(update(7, -1).as_deref(), Some(r#""Weight":7}}"#));
    assert_eq!(update(0, 0), None);
    assert!(of(7, 2_500).is_err());
}

fn request<'a>(process: &'a ProcessConfig, stdin: ChildStream) -> ProcessRequest<'a> {
    ProcessRequest {
        limits: None,
        process,
        args_escaped: false,
        environment: &process.env,
        working_dir: r"C:\app",
        stdin,
        stdout: ChildStream::Pipe,
        stderr: ChildStream::Pipe,
    }
}

/// Case 26, and the terminal's size of case 81.
#[test]
fn windows_golden_process() {
    let mut config = command().process;
    config.env = vec!["Z=1".into(), "A=x=y&".into()];
    assert_eq!(
        process(Schema::Docker, &request(&config, ChildStream::Null)).unwrap(),
        concat!(
            r#"{"ApplicationName":"","CommandLine":"cmd /s /c \"echo \\\"hi there\\\"\"","#,
            r#""WorkingDirectory":"C:\\app","Environment":{"A":"x=y\u0026","Z":"1"},"#,
            r#""EmulateConsole":false,"ConsoleSize":[0,0]}"#,
        )
    );
    assert_eq!(
        process(Schema::V2, &request(&config, ChildStream::Pipe)).unwrap(),
        concat!(
            r#"{"CommandLine":"cmd /s /c \"echo \\\"hi there\\\"\"","#,
            r#""WorkingDirectory":"C:\\app","Environment":{"A":"x=y&","Z":"1"},"#,
            r#""CreateStdInPipe":true,"CreateStdOutPipe":true,"CreateStdErrPipe":true}"#,
        )
    );
    config.tty = true;
    config.console_size = Some(WindowSize {
        rows: 33,
        columns: 77,
    });
    let document = process(Schema::Docker, &request(&config, ChildStream::Pipe)).unwrap();
    assert!(
        document.ends_with(r#""EmulateConsole":true,"ConsoleSize":[33,77]}"#),
        "{document}"
    );
    let document = process(Schema::V1, &request(&config, ChildStream::Pipe)).unwrap();
    let wanted = r#""EmulateConsole":true,"CreateStdInPipe":true,"CreateStdOutPipe":true,"CreateStdErrPipe":false,"ConsoleSize":[33,77]}"#;
    assert!(document.ends_with(wanted), "{document}");
}

#[test]
fn a_program_a_line_and_a_user_that_no_document_can_ask_for_are_refused_by_field() {
    let long = ProcessConfig::new("x").args(["y".repeat(40_000)]);
    let mut user = ProcessConfig::new("x");
    user.user = "someone".into();
    for (config, wanted) in [
        (ProcessConfig::new(" "), "process_config.entrypoint"),
        (ProcessConfig::new("a\"b"), "process_config.entrypoint"),
        (long, "process_config.arguments"),
        (user, "process_config.user"),
    ] {
        match process(Schema::V2, &request(&config, ChildStream::Null)) {
            Err(Error::InvalidCommand { field, .. }) => assert_eq!(field, wanted),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_form_has_no_word_for_is_unsupported() {
    let mut command = command();
    let refused = |schema, command: &Command, hyperv| {
        matches!(
            check(schema, command, hyperv),
            Err(Error::Unsupported { .. })
        )
    };
    assert!(!refused(Schema::V2, &command, false));
    assert!(refused(Schema::V2, &command, true));
    command.mounts = vec![Mount::bind(r"\\.\pipe\a", r"\\.\pipe\b")];
    assert!(refused(Schema::Docker, &command, false));
    command.process_label = "x".into();
    assert!(refused(Schema::V1, &command, false));
}

#[test]
fn layer_ids_are_written_as_the_service_wants_them() {
    let bytes = [
        0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 10, 11, 12, 13, 14, 15,
    ];
    assert_eq!(crate::hcs::guid_text(bytes), layers()[0].id);
}

#[test]
fn a_port_that_cannot_be_fails_the_document() {
    let mut command = command();
    let interface = command
        .network
        .as_mut()
        .and_then(|n| n.interface.as_mut())
        .unwrap();
    let binding = PortBinding {
        host_ip: "1.2.3.4".into(),
        host_port: "1".into(),
    };
    interface
        .port_bindings
        .insert("1/tcp".into(), vec![binding]);
    let parts = Parts {
        name: "x",
        layers: &[],
        hyperv: false,
        utility_vm: None,
        endpoints: &[],
        nat: "",
    };
    assert!(container(Schema::Docker, &command, &parts, &Limits::default()).is_err());
}
